import assert from "node:assert/strict";
import { parseNetwork } from "../../lib/network.ts";
import { relayOptions } from "../../lib/proxy/listen.ts";
import { parseOptions } from "../../lib/proxy/options.ts";

const ADDRESSES = ["8080", "127.0.0.1:9080"];

Deno.test("what is said of clients that are held reaches the relay, and nothing is done unasked", () => {
  const silent = parseOptions(ADDRESSES);
  assert.equal(silent.suspendQuiet, null);
  const byDefault = relayOptions(silent, "epoll");
  assert.deepEqual([byDefault.abortOnClose, byDefault.maxConnecting], [false, 128]);
  const options = parseOptions([
    ...["--abort-on-close", "--max-connecting", "7", "--suspend-quiet", "20ms", ...ADDRESSES],
  ]);
  assert.equal(options.suspendQuiet, 20);
  const { abortOnClose, maxConnecting } = relayOptions(options, "portable");
  assert.deepEqual([abortOnClose, maxConnecting], [true, 7]);
});

Deno.test("nobody is quiet at once, and nobody can be let in by none", () => {
  for (const [option, value] of [["--suspend-quiet", "0s"], ["--max-connecting", "0"]] as const) {
    assert.throws(() => parseOptions([option, value, ...ADDRESSES]), new RegExp(option));
  }
});

Deno.test("what is said of the PROXY protocol reaches the relay, and nobody is believed unasked", () => {
  const { acceptProxy, sendProxy } = relayOptions(parseOptions(ADDRESSES), "epoll");
  assert.deepEqual([acceptProxy, sendProxy], [[], null]);
  const options = parseOptions([
    ...["--accept-proxy", "10.0.0.0/8", "--send-proxy", "v2", "--accept-proxy", "::1"],
    ...ADDRESSES,
  ]);
  const said = relayOptions(options, "portable");
  assert.equal(said.sendProxy, "v2");
  assert.deepEqual(said.acceptProxy, ["10.0.0.0/8", "::1"].map(parseNetwork));
});
