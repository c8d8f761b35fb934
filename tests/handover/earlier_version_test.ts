/**
 * A proxy takes over from the version before it, and that from it, which is a rollback: from one that
 * runs, and from a keeper.
 */

import assert from "node:assert/strict";
import { type Address, formatAddress } from "../../lib/address.ts";
import { isKeeper, Stage } from "../keeper/stage.ts";
import { Container, whyNoContainer } from "../reaper/container.ts";
import { echo, type Peer, Service, unusedAddress } from "../relay/peer.ts";
import { EarlierVersion } from "../support/earlier_version.ts";
import { onlyForLong } from "../support/long.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { whyNoTakeover } from "./why_not.ts";
import { Wire } from "./wire.ts";

/** The last commit whose messages are those of the version before. */
const BEFORE = "947e5d7";

const no = whyNoTakeover ??
  (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : await EarlierVersion.whyNot(BEFORE));

testWith(
  no,
  "live connections and a drain outlive an upgrade from the version before",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using service = await Service.start();
    await using old = await Proxy.start(service.address, { ...before.options });
    assert.ok(await before.isOf(old.process.pid));
    const wires = [];
    using all = new DisposableStack();
    for (let number = 0; number < 3; number++) {
      wires.push(all.use(await Wire.through(old.address, service, number)));
    }
    for (const { ends } of wires) for (const end of ends) end.talk();
    const { code, stderr } = await old.ctl(["drain", "--no-wait", "--owner=me", "--timeout=5m"]);
    assert.equal(code, 0, stderr);
    await using next = await Proxy.start(service.address, {
      directory: old.directory,
      listen: formatAddress(old.address),
      args: ["--takeover=always", "--threads=2"],
    });
    const gone = await old.process.finished();
    assert.equal(gone.code, 0, gone.stderr);
    assert.equal(next.log("taken_over")[0]?.["connections"], wires.length);
    const { state, owner, active, pid } = await next.status();
    assert.deepEqual([state, owner, active, pid], ["draining", "me", 3, next.process.pid]);
    for (const { client } of wires) {
      const { heard } = client;
      await client.until(() => client.heard > heard + 1_000_000, "more");
    }
    for (const wire of wires) {
      await wire.settle();
      assert.equal(wire.fault, null);
    }
  },
);

testWith(
  onlyForLong ?? no,
  "those whom a keeper of the version before keeps are served",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using stage = await Stage.set(before.options);
    await stage.drain();
    using client = await stage.client();
    const { code, stdout, stderr } = await stage.proxy.ctl(["park", "--json"], before.options);
    assert.equal(code, 0, stderr);
    const { keeper } = JSON.parse(stdout);
    using cleanUp = new DisposableStack();
    cleanUp.defer(() => {
      if (isKeeper(keeper, stage.directory)) Deno.kill(keeper, "SIGKILL");
    });
    assert.ok(await before.isOf(keeper));
    await stage.stop();
    assert.equal((await stage.proxy.status()).pid, keeper);
    const next = await stage.next();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a rollback: the version before takes over live connections and a drain",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using service = await Service.start();
    await using now = await Proxy.start(service.address);
    using wire = await Wire.through(now.address, service);
    for (const end of wire.ends) end.talk();
    const body = { owner: "me", wait: false, timeout: "5m" };
    assert.equal((await now.request("POST", "/v1/drain", body)).status, 200);
    await using previous = await rolledBack(now, before, service.address);
    const { state, owner, active, pid } = await previous.status();
    assert.deepEqual([state, owner, active, pid], ["draining", "me", 1, previous.process.pid]);
    const { heard } = wire.client;
    await wire.client.until(() => wire.client.heard > heard + 1_000_000, "more");
    await wire.settle();
    assert.equal(wire.fault, null);
  },
);

testWith(
  onlyForLong ?? no,
  "a rollback: who has drained comes back to the version before",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using service = await echo();
    await using now = await Proxy.start(service.address);
    await using command = now.startCtl(["with-drain", "--", "sh", "-c", "echo begun; cat"]);
    await command.heard(/begun/, "stdout");
    using client = await now.connect();
    await client.send("hi");
    await using previous = await rolledBack(now, before, service.address);
    assert.equal((await previous.status()).state, "drained");
    await command.closeStdin();
    const { code, stderr } = await command.finished();
    assert.equal(code, 0, stderr);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a rollback: the version before serves those whom a keeper keeps, whether queued or still being connected",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using stage = await Stage.set();
    await stage.proxy.retarget(await unusedAddress());
    const clients: Peer[] = [await stage.client(), await stage.client()];
    await stage.proxy.until(({ active }) => active === clients.length);
    await stage.drain();
    clients.push(await stage.client());
    await stage.proxy.until(({ queued }) => queued === clients.length);
    await stage.park();
    await stage.stop();
    const previous = await stage.next(before.options);
    assert.ok(await before.isOf(previous.process.pid));
    await previous.retarget(stage.service.address);
    await stage.resume(previous);
    for (const client of clients) assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a keeper of the version before takes a drained proxy's clients",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using stage = await Stage.set();
    await stage.drain();
    using client = await stage.client();
    const { keeper } = await stage.parkIn(before.options);
    assert.ok(await before.isOf(keeper));
    await stage.stop();
    const next = await stage.next();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  no ?? whyNoContainer,
  "nothing is taken over from the version before where its end would end the container",
  async () => {
    const before = await EarlierVersion.of(BEFORE);
    await using service = await echo();
    const { through: init = [] } = before.options;
    await using container = await Container.start(service.address, { init });
    const { proxy } = container;
    using client = await proxy.served();
    const upstream = formatAddress(service.address);
    await using next = container.enterProxy(upstream, "--takeover=always");
    const { code, stderr } = await next.finished();
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /of version 1\.0\.0, then ends, and everything in its container with it: restart/,
    );
    await client.send("yo");
    assert.equal(await client.read(2), "yo");
    assert.equal((await proxy.status()).pid, 1);
  },
);

/** The version before, to which a proxy has handed over. */
async function rolledBack(
  from: Proxy,
  to: EarlierVersion,
  upstream: Address,
): Promise<Proxy> {
  const previous = await Proxy.start(upstream, {
    ...to.options,
    directory: from.directory,
    listen: formatAddress(from.address),
  });
  assert.ok(await to.isOf(previous.process.pid));
  const { code, stderr } = await from.process.finished();
  assert.equal(code, 0, stderr);
  return previous;
}
