import assert from "node:assert/strict";
import { hostOf, isOfNetwork, parseNetwork } from "../lib/network.ts";

Deno.test("a network is an address, or a prefix, of either version", () => {
  const cases: [string, string, boolean][] = [
    ["192.0.2.7", "192.0.2.7:80", true],
    ["192.0.2.7", "192.0.2.8:80", false],
    ["10.0.0.0/8", "10.255.0.1:1", true],
    ["10.0.0.0/8", "11.0.0.1:1", false],
    ["10.1.2.3/8", "10.255.0.1:1", true],
    ["0.0.0.0/0", "192.0.2.7:80", true],
    ["2001:db8::/32", "[2001:db8:1::1]:80", true],
    ["[2001:db8::1]", "[2001:db8::1]:80", true],
    ["2001:db8::/32", "[2001:db9::1]:80", false],
    ["fe80::/10", "[fe80::1%lo]:80", true],
    ["10.0.0.0/8", "[2001:db8::1]:80", false],
    ["10.0.0.0/8", "unknown", false],
    ["10.0.0.0/8", "[::ffff:10.1.2.3]:80", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3:80", true],
    ["::ffff:10.1.2.3", "10.1.2.4:80", false],
    ["::/0", "[2001:db8::1]:80", true],
    ["::/0", "10.1.2.3:80", false],
    ["0.0.0.0/0", "[2001:db8::1]:80", false],
    ["192.0.2.0/23", "192.0.3.255:80", true],
    ["192.0.2.0/23", "192.0.4.0:80", false],
  ];
  for (const [network, address, expected] of cases) {
    assert.equal(
      isOfNetwork(parseNetwork(network), hostOf(address)),
      expected,
      `${network} ${address}`,
    );
  }
});

Deno.test("what is no network is refused", () => {
  for (
    const text of [
      "",
      "10",
      "10.0.0.0/33",
      "10.0.0.0/",
      "::/129",
      "host",
      "1.2.3.4:80",
      "a/8",
      "01.2.3.4",
      "::ffff:1.2.3.4/95",
    ]
  ) {
    assert.throws(() => parseNetwork(text), RangeError, text);
  }
});
