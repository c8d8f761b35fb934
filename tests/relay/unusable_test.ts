import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { isItself, whyItself, whyNoInterface } from "../../lib/relay/unusable.ts";

const LOCAL = ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "192.0.2.1", "2001:db8::1"];
const isLocal = (host: string) => LOCAL.includes(host);

for (
  const [listening, itself, another] of [
    [
      "all addresses",
      [...LOCAL, "::ffff:192.0.2.1", "::ffff:c000:201", "2001:DB8:0::1", "2001:db8::1%eth0"],
      ["192.0.2.2", "2001:db8::2", "::ffff:192.0.2.2"],
    ],
    ["0.0.0.0", ["127.0.0.1", "0.0.0.0", "192.0.2.1", "::ffff:192.0.2.1"], ["::1", "::"]],
    ["::", ["::1", "::", "2001:db8::1"], ["127.0.0.1", "0.0.0.0", "::ffff:192.0.2.1"]],
    ["127.0.0.1", ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"], ["127.0.0.2", "::1", "::"]],
    ["::1", ["::1", "::", "0:0::1"], ["127.0.0.1", "0.0.0.0"]],
    ["192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["127.0.0.1", "0.0.0.0", "192.0.2.2"]],
  ] as const
) {
  Deno.test(`who listens on ${listening} is known by every address that leads there, and by no other`, () => {
    const bothFamilies = listening === "all addresses";
    const at = { host: bothFamilies ? "::" : listening, port: 80, bothFamilies };
    for (const host of itself) assert.equal(isItself({ host, port: 80 }, at, isLocal), true, host);
    for (const host of another) {
      assert.equal(isItself({ host, port: 80 }, at, isLocal), false, host);
    }
    for (const host of itself) assert.equal(isItself({ host, port: 81 }, at, isLocal), false, host);
  });
}

Deno.test("every address of this machine leads to who listens on all, also by name", async () => {
  const all = { host: "::", port: 80, bothFamilies: true };
  for (const { address } of Object.values(networkInterfaces()).flatMap((some) => some ?? [])) {
    assert.equal(isItself({ host: address, port: 80 }, all), true, address);
  }
  assert.equal(isItself({ host: "127.9.9.9", port: 80 }, all), true);
  assert.equal(isItself({ host: "192.0.2.1", port: 80 }, all), false);
  assert.equal(
    await whyItself({ host: "localhost", port: 80 }, [all]),
    "The upstream localhost:80 cannot be used: that is the proxy itself, which listens on [::]:80",
  );
  assert.equal(await whyItself({ host: "localhost", port: 81 }, [all]), null);
  assert.equal(await whyItself({ host: "no-such-host.invalid", port: 80 }, [all]), null);
});

Deno.test("an address of a network interface that is not there cannot be used", () => {
  const [name = ""] = Object.keys(networkInterfaces());
  assert.equal(whyNoInterface({ host: `fe80::1%${name}`, port: 80 }), null);
  assert.equal(whyNoInterface({ host: "fe80::1", port: 80 }), null);
  assert.equal(
    whyNoInterface({ host: "fe80::1%nosuch0", port: 80 }),
    'The upstream [fe80::1%nosuch0]:80 cannot be used: there is no network interface "nosuch0"',
  );
});
