import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { assertServed, linked, whyNotLinked } from "../handover/linked.ts";
import { Stage } from "../keeper/stage.ts";
import { echo } from "../relay/peer.ts";
import { commandOf } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { onlyForLong } from "../support/long.ts";

testWith(
  whyNotLinked,
  "a successor that fails changes nothing, and proxyctl says why",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    using client = await proxy.served();
    const [executable] = commandOf("proxy");
    const fail = async (because: RegExp) => {
      const { code, stdout, stderr } = await proxy.ctl(["upgrade"]);
      assert.match(stderr, /^proxyctl: [^\n]+\n$/);
      assert.match(stderr, because);
      assert.deepEqual([code, stdout], [1, ""]);
      await assertServed(client);
      assert.equal((await proxy.status()).pid, proxy.process.pid);
    };
    await relink(`exec ${executable} "$@" --no-such-option`);
    await fail(/this proxy goes on: .*unknown option '--no-such-option'/);
    await relink("exit 7");
    await fail(/this proxy goes on: it ended with exit code 7/);
    await Deno.remove(`${path}/link`);
    await fail(/Failed to start \S+\/link: /);
    await proxy.process.heard(/"message":"Not upgraded: Failed to start \S+\/link: /);
    const left = [...Deno.readDirSync(proxy.directory)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["control.sock", "handover.sock", "lock"]);
  },
);

Deno.test("the portable relay cannot be upgraded: exit code 8; and a request with fields is refused", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--relay=portable"] });
  const { code, stderr } = await proxy.ctl(["upgrade"]);
  assert.equal(code, 8);
  assert.match(stderr, /^proxyctl: The portable relay [^\n]+\n$/);
  assert.equal((await proxy.request("POST", "/v1/upgrade", { path: "/bin/sh" })).status, 400);
});

testWith(
  onlyForLong ?? whyNotLinked,
  "who takes over by hand during an upgrade stays, and proxyctl says that the upgrade failed",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    const [executable] = commandOf("proxy");
    await relink(`while [ ! -e ${path}/go ]; do sleep 0.02; done; exec ${executable} "$@"`);
    const upgrading = proxy.ctl(["upgrade"]);
    await until(
      () => Deno.readTextFile(`/proc/${proxy.process.pid}/task/${proxy.process.pid}/children`),
      (children) => children !== "",
    );
    const listen = formatAddress(proxy.address);
    const { directory } = proxy;
    const args = ["--takeover=always"];
    await using other = await Proxy.start(service.address, { directory, listen, args });
    const { code, stderr } = await upgrading;
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `proxyctl: Process ${other.process.pid}, which somebody else has started, has taken over ` +
        "meanwhile\n",
    );
    await Deno.writeTextFile(`${path}/go`, "");
    using client = await other.served();
    assert.equal((await other.status()).pid, other.process.pid);
    await assertServed(client);
  },
);

testWith(
  onlyForLong ?? whyNoEpoll(),
  "a parked proxy is not upgraded: exit code 8, and it is parked still",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    await stage.park();
    const { code, stderr } = await stage.proxy.ctl(["upgrade"]);
    assert.equal(code, 8);
    assert.match(stderr, /^proxyctl: The proxy is parked: stop it, and start its successor\n$/);
    assert.equal((await stage.proxy.status()).state, "parked");
  },
);
