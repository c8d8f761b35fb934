import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import fc from "fast-check";
import { formatAddress, parseAddress, parseListenAddress, unmapped } from "../lib/address.ts";

const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());

Deno.test("what is written as an address is read as the same address", () => {
  fc.assert(fc.property(host, fc.integer({ min: 1, max: 65535 }), (host, port) => {
    assert.deepEqual(parseAddress(formatAddress({ host, port })), { host, port });
  }));
  fc.assert(
    fc.property(fc.option(host), fc.integer({ min: 0, max: 65535 }), (host, port) => {
      assert.deepEqual(parseListenAddress(formatAddress({ host, port })), { host, port });
    }),
  );
});

Deno.test("any text is an address or is refused with a reason that shows it", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    for (const parse of [parseAddress, parseListenAddress]) {
      try {
        const { port } = parse(text);
        assert.ok(Number.isInteger(port) && port >= 0 && port <= 65535);
      } catch (error) {
        assert.ok(error instanceof RangeError);
        assert.match(error.message.replace(`"${text}"`, ""), /^ (is no address|has no host): /);
      }
    }
  }));
});

Deno.test("what stands in brackets is what node:net takes for an IPv6 address", () => {
  const part = fc.constantFrom(
    ..."0 1 ffff 12345 : :: 1.2.3.4 256.1.1.1 1.2 01.2.3.4 % g / @".split(" "),
  );
  const text = fc.oneof(fc.ipV6(), fc.array(part, { maxLength: 9 }).map((parts) => parts.join("")));
  const isRead = (text: string) => {
    try {
      return parseAddress(text).port === 1;
    } catch {
      return false;
    }
  };
  fc.assert(fc.property(text, (text) => isRead(`[${text}]:1`) === isIPv6(text)), { numRuns: 3000 });
});

Deno.test("only a listen address may lack a host or have port 0", () => {
  assert.deepEqual(parseListenAddress("8080"), { host: null, port: 8080 });
  assert.deepEqual(parseListenAddress("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseListenAddress("*:8080"), { host: null, port: 8080 });
  assert.throws(
    () => parseAddress("8080"),
    /^RangeError: "8080" has no host: write 127.0.0.1:8080$/,
  );
  assert.throws(() => parseAddress("localhost:0"), /a port is 1 to 65535$/);
});

for (
  const [text, reason] of [
    ["", /expected/],
    ["host", /expected/],
    [":80", /has no host: write .*127\.0\.0\.1:80$/],
    ["host:", /expected/],
    ["host:http", /expected/],
    ["host:-1", /expected/],
    ["host:65536", /a port is/],
    ["::1:80", /with an IPv6 host in brackets/],
    ["[::1]", /expected/],
    ["[host]:80", /"host" in the brackets is not IPv6/],
    ["a b:80", /cannot be the name of a host/],
    ["../../etc:80", /cannot be the name of a host/],
    [`${"a".repeat(254)}:80`, /cannot be the name of a host/],
  ] as const
) {
  Deno.test(`"${text.slice(0, 20)}" is no address, and the message says why`, () => {
    assert.throws(() => parseAddress(text), { name: "RangeError", message: reason });
    assert.throws(() => parseListenAddress(text), { name: "RangeError", message: reason });
  });
}

Deno.test("an IPv4 address met on an IPv6 socket is shown as IPv4", () => {
  assert.equal(unmapped("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(unmapped("192.0.2.1"), "192.0.2.1");
  assert.equal(unmapped("::ffff:1"), "::ffff:1");
  assert.equal(unmapped("2001:db8::1"), "2001:db8::1");
});
