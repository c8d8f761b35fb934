import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOfIp, textOfIp } from "../../lib/ip.ts";
import {
  decodeHeader,
  encodeHeader,
  type Endpoints,
  LONGEST_HEADER,
  PROXY_VERSIONS,
  type ProxyHeader,
} from "../../lib/relay/proxy_protocol.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

const version = fc.constantFrom(...PROXY_VERSIONS);
const port = fc.nat(65535);
/** Both of the same family, in the form in which addresses are written here. */
const endpoints: fc.Arbitrary<Endpoints> = fc.oneof(fc.constant(4), fc.constant(16)).chain((size) =>
  fc.tuple(...[0, 1].map(() => fc.uint8Array({ minLength: size, maxLength: size })), port, port)
    .filter(([from, to]) =>
      textOfIp(from as Uint8Array).includes(":") === textOfIp(to as Uint8Array).includes(":")
    )
    .map(([from, to, fromPort, toPort]) => ({
      source: { host: textOfIp(from as Uint8Array), port: fromPort as number },
      destination: { host: textOfIp(to as Uint8Array), port: toPort as number },
    }))
);
const data = fc.uint8Array({ maxLength: 200 });

Deno.test("a header is read as it was written, and what is behind it is left alone", () => {
  fc.assert(fc.property(version, fc.option(endpoints), data, (version, endpoints, data) => {
    const header = encodeHeader(version, endpoints);
    assert.deepEqual(decodeHeader(join(header, data)), { length: header.length, endpoints });
    assert.ok(header.length <= (version === "v1" ? 107 : 52));
  }));
});

Deno.test("wherever a header is split, it is not whole before its last byte, and nothing is wrong", () => {
  fc.assert(fc.property(version, fc.option(endpoints), (version, endpoints) => {
    const header = encodeHeader(version, endpoints);
    for (let count = 0; count < header.length; count++) {
      assert.equal(decodeHeader(header.subarray(0, count)), null);
    }
  }));
});

Deno.test("whatever comes, a header is read, or not whole, or wrong, and never longer than what came", () => {
  const begun = fc.tuple(
    fc.constantFrom("", "P", "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ::1 ", "PROXY UNKNOWN"),
    fc.uint8Array({ maxLength: 300 }),
  ).map(([start, rest]) => join(bytesOf(start), rest));
  const binary = fc.tuple(fc.nat(16), fc.uint8Array({ maxLength: 300 })).map(([count, rest]) =>
    join(encodeHeader("v2", null).subarray(0, count), rest)
  );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), begun, binary), (bytes) => {
      const decoded = decodeHeader(bytes);
      if (decoded === null || typeof decoded === "string") return;
      assert.ok(decoded.length <= bytes.length && decoded.length <= LONGEST_HEADER);
      // The same, whatever comes later, and not before it is whole.
      assert.deepEqual(decodeHeader(bytes.subarray(0, decoded.length)), decoded);
      assert.equal(decodeHeader(bytes.subarray(0, decoded.length - 1)), null);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("what is wrong stays wrong, whatever comes later", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 130 }), data, (bytes, more) => {
    const decoded = decodeHeader(bytes);
    if (typeof decoded === "string") assert.equal(typeof decodeHeader(join(bytes, more)), "string");
  }));
});

Deno.test("a line is taken as the specification has it, and no other", () => {
  const good: Record<string, Endpoints | null> = {
    "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0": {
      source: { host: "255.255.255.255", port: 65535 },
      destination: { host: "0.0.0.0", port: 0 },
    },
    "PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2": {
      source: { host: "192.0.2.7", port: 1 },
      destination: { host: "::1", port: 2 },
    },
    "PROXY UNKNOWN": null,
    "PROXY UNKNOWN ffff::1 whatever it is": null,
  };
  for (const [line, endpoints] of Object.entries(good)) {
    const bytes = bytesOf(`${line}\r\n`);
    assert.deepEqual(decodeHeader(bytes), { length: bytes.length, endpoints }, line);
  }
  const longest = `PROXY UNKNOWN ${"x".repeat(107 - 16)}\r\n`;
  assert.equal((decodeHeader(bytesOf(longest)) as ProxyHeader).length, 107);
  for (
    const line of [
      "PROXY",
      "PROXY ",
      "PROXY TCP4",
      "PROXY TCP4 192.0.2.7 192.0.2.8 1",
      "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3",
      "PROXY TCP4 192.0.2.7  192.0.2.8 1 2",
      "PROXY TCP4 192.0.2.256 192.0.2.8 1 2",
      "PROXY TCP4 192.0.2.07 192.0.2.8 1 2",
      "PROXY TCP4 ::1 ::1 1 2",
      "PROXY TCP6 192.0.2.7 192.0.2.8 1 2",
      "PROXY TCP6 fe80::1%lo ::1 1 2",
      "PROXY TCP4 192.0.2.7 192.0.2.8 1 65536",
      "PROXY TCP4 192.0.2.7 192.0.2.8 01 2",
      "PROXY UDP4 192.0.2.7 192.0.2.8 1 2",
      "PROXY tcp4 192.0.2.7 192.0.2.8 1 2",
      "GET / HTTP/1.1",
      `PROXY UNKNOWN ${"x".repeat(107 - 15)}`,
    ]
  ) assert.equal(typeof decodeHeader(bytesOf(`${line}\r\n`)), "string", line);
});

Deno.test("of version 2, other families and LOCAL say nothing of the client, and what follows the addresses is skipped", () => {
  const header = (command: number, family: number, rest: Uint8Array) => {
    const bytes = join(encodeHeader("v2", null), rest);
    bytes.set([command, family, rest.length >> 8, rest.length & 0xff], 12);
    return bytes;
  };
  const tcp4 = Uint8Array.of(192, 0, 2, 7, 198, 51, 100, 1, 0, 80, 1, 187);
  const known = {
    source: { host: "192.0.2.7", port: 80 },
    destination: { host: "198.51.100.1", port: 443 },
  };
  const values = join(tcp4, new Uint8Array(5000));
  for (
    const [bytes, endpoints] of [
      [header(0x21, 0x11, tcp4), known],
      [header(0x21, 0x11, values), known],
      [header(0x20, 0x11, tcp4), null],
      [header(0x20, 0, new Uint8Array()), null],
      [header(0x21, 0x12, tcp4), null],
      [header(0x21, 0x31, new Uint8Array(216)), null],
      [header(0x21, 0xff, values), null],
    ] as const
  ) assert.deepEqual(decodeHeader(bytes), { length: bytes.length, endpoints });
  for (
    const bytes of [
      header(0x11, 0x11, tcp4),
      header(0x22, 0x11, tcp4),
      header(0x21, 0x11, tcp4.subarray(1)),
      header(0x21, 0x21, values.subarray(0, 35)),
      header(0x21, 0x11, new Uint8Array(LONGEST_HEADER - 15)),
    ]
  ) assert.equal(typeof decodeHeader(bytes), "string");
  const longest = header(0x21, 0x11, join(tcp4, new Uint8Array(LONGEST_HEADER - 28)));
  assert.deepEqual(decodeHeader(longest), { length: LONGEST_HEADER, endpoints: known });
});

Deno.test("an address that is IPv4 on one side and IPv6 on the other is written as IPv6", () => {
  const mixed = {
    source: { host: "192.0.2.7", port: 1 },
    destination: { host: "2001:db8::1%eth0", port: 2 },
  };
  const expected = { ...mixed, destination: { host: "2001:db8::1", port: 2 } };
  for (const version of PROXY_VERSIONS) {
    const header = encodeHeader(version, mixed);
    assert.deepEqual(decodeHeader(header), { length: header.length, endpoints: expected });
  }
});

Deno.test("what is no IP address is said to be unknown", () => {
  const nobody = { source: { host: "unknown", port: 0 }, destination: { host: "::1", port: 1 } };
  for (const version of PROXY_VERSIONS) {
    assert.deepEqual(encodeHeader(version, nobody), encodeHeader(version, null));
  }
});

Deno.test("an IP address is the same number however it is written, and no other text is one", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }).filter((ip) => ip.some((byte) => byte !== 0)),
    ),
    (ip) => {
      const text = textOfIp(ip);
      assert.deepEqual(bytesOfIp(text), ip);
      assert.deepEqual(bytesOfIp(text.toUpperCase()), ip);
    },
  ));
  fc.assert(fc.property(fc.ipV6(), (text) => assert.equal(bytesOfIp(text)?.length !== 0, true)));
  assert.deepEqual(bytesOfIp("::ffff:192.0.2.7"), Uint8Array.of(192, 0, 2, 7));
  assert.equal(textOfIp(bytesOfIp("::") as Uint8Array), "::");
  assert.deepEqual(bytesOfIp("fe80::1%eth0"), bytesOfIp("fe80::1"));
  for (
    const text of [
      "",
      "localhost",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.04",
      "1.2.3.4%lo",
      ":::",
      "1::2::3",
    ]
  ) {
    assert.equal(bytesOfIp(text), null, text);
  }
});
