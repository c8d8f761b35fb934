import fc from "fast-check";
import assert from "node:assert/strict";
import { decode, encode, LARGEST, OFFSET, portOf } from "../../lib/linux/socket_address.ts";
import { familyOf } from "../../lib/linux/socket.ts";

const ports = fc.nat(65535);

/** IPv6 addresses that are not IPv4 ones in disguise. */
const ipv6 = fc.ipV6().filter((host) => !host.includes("."));

/** The one way to write an IPv6 address (RFC 5952), which a URL uses as well. */
function canonical(host: string): string {
  return new URL(`http://[${host}]/`).hostname.slice(1, -1);
}

Deno.test("an IPv4 address and port are what they were after the way to the kernel and back", () => {
  fc.assert(fc.property(fc.ipV4(), ports, (host, port) => {
    const bytes = encode({ host, port });
    assert.deepEqual(decode(bytes), { host, port });
    assert.equal(portOf(bytes), port);
    assert.deepEqual([...bytes.subarray(4, 8)], host.split(".").map(Number));
  }));
});

Deno.test("an IPv6 address and port are what they were after the way to the kernel and back", () => {
  const words = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
    // ::1.2.3.4 and ::ffff:1.2.3.4 are written as such.
    .filter((words) => words.slice(0, 5).some((word) => word !== 0));
  fc.assert(fc.property(words, ports, (words, port) => {
    const host = words.map((word) => word.toString(16)).join(":");
    const bytes = encode({ host, port });
    const decoded = decode(bytes);
    assert.equal(decoded?.port, port);
    assert.equal(canonical(decoded?.host ?? ""), canonical(host));
    assert.equal(portOf(bytes), port);
    const view = new DataView(bytes.buffer);
    assert.deepEqual(words.map((_, index) => view.getUint16(8 + 2 * index)), words);
  }));
});

Deno.test("the name of an address in the largest room there may be is the same address", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), ipv6), ports, (host, port) => {
    const name = encode({ host, port });
    // As accept4 leaves it: what was there before is behind a shorter name.
    const room = new Uint8Array(LARGEST).fill(0xaa);
    room.set(name);
    assert.deepEqual(decode(room), decode(name));
    assert.equal(familyOf(room), familyOf(name));
  }));
});

Deno.test("an IPv4 address on an IPv6 socket is that IPv4 address", () => {
  fc.assert(fc.property(fc.ipV4(), ports, (host, port) => {
    assert.deepEqual(decode(encode({ host: `::ffff:${host}`, port })), { host, port });
  }));
});

Deno.test("the scope of an IPv6 address is kept, by number and by the interface's name", () => {
  const loopback = { host: "fe80::1%lo", port: 80 };
  assert.deepEqual(decode(encode(loopback)), loopback);
  assert.deepEqual(decode(encode({ host: "fe80::1%1", port: 80 })), loopback);
  const gone = encode(loopback);
  new DataView(gone.buffer).setUint32(OFFSET.scope6, 4_000_000, true);
  assert.deepEqual(decode(gone), { host: "fe80::1%4000000", port: 80 });
});

Deno.test("an address of a network interface that is not there is refused", () => {
  for (const scope of ["nosuch0", "4000000", "0"]) {
    const message = { message: `there is no network interface "${scope}"` };
    assert.throws(() => encode({ host: `fe80::1%${scope}`, port: 80 }), message);
  }
});

Deno.test("what is no IP address is refused, and so is a family that is not IP", () => {
  for (const host of ["", "localhost", "example.org", "1.2.3", "1.2.3.256", "1::2::3", "[::1]"]) {
    assert.throws(() => encode({ host, port: 1 }), RangeError, host);
  }
  assert.throws(() => encode({ host: "localhost", port: 1 }), /"localhost" is no IP address/);
  assert.equal(decode(new Uint8Array([1, 0, 47, 0])), null);
});
