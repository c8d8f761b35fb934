import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { Container, UNSHARE, whyNoContainer } from "../reaper/container.ts";
import { echo, Peer, unusedAddress } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { FailingPeer } from "./peer.ts";
import { STEPS } from "./peer_process.ts";

/** A kernel without SO_PEERPIDFD (77), which is before Linux 6.5: what it does not know, it refuses. */
const OLDER_KERNEL = [
  "python3",
  "-c",
  await Deno.readTextFile(
    new URL("older_kernel.py", import.meta.url),
  ),
];

/** Says hello to the echo, and hears it. */
async function assertServed(client: Peer): Promise<void> {
  await client.send("yo");
  assert.equal(await client.read(2), "yo");
}

testWith(
  whyNoContainer,
  "from container to container, and out of them: connections move, and the one before ends",
  async () => {
    await using service = await echo();
    await using first = await Container.start(service.address);
    const { directory, address } = first.proxy;
    using client = await first.proxy.served();
    const next = { directory, listen: formatAddress(address), args: ["--takeover=always"] };
    await using second = await Container.start(service.address, next);
    assert.equal((await first.proxy.process.finished()).code, 0);
    await assertServed(client);
    await using third = await Proxy.start(service.address, next);
    assert.equal((await second.proxy.process.finished()).code, 0);
    await assertServed(client);
    assert.equal((await third.status()).active, 1);
  },
);

testWith(
  onlyForLong ?? whyNoContainer,
  "parked from outside, a container may end: who waits is served in the next one",
  async () => {
    await using service = await echo();
    await using first = await Container.start(service.address, { args: ["--start-drained"] });
    const { directory, address } = first.proxy;
    using client = await Peer.connect(address);
    await first.proxy.until(({ queued }) => queued === 1);
    const { code, stdout, stderr } = await first.proxy.ctl(["park", "--json"]);
    assert.equal(code, 0, stderr);
    using stack = new DisposableStack();
    stack.defer(() => {
      try {
        Deno.kill(JSON.parse(stdout).keeper, "SIGKILL");
      } catch { /* it has ended, as it should */ }
    });
    assert.match((await first.proxy.ctl(["status"])).stdout, /in another PID namespace/);
    Deno.kill(first.first, "SIGTERM");
    assert.equal((await first.proxy.process.finished()).code, 0);
    const listen = formatAddress(address);
    await using second = await Container.start(service.address, { directory, listen });
    assert.equal((await second.proxy.ctl(["resume", "--force"])).code, 0);
    await assertServed(client);
  },
);

/** The proxy gives to one that falls silent when it has everything, and ends or answers later. */
async function giveToOneThat(end: "ends" | "answers"): Promise<void> {
  await using service = await echo();
  await using container = await Container.start(service.address);
  const { proxy } = container;
  using client = await proxy.served();
  const steps = STEPS.receiver.indexOf("ready") + 1;
  await using receiver = new FailingPeer("receiver", proxy.directory, steps);
  await receiver.fail("falls silent");
  const { message } = await proxy.logged("waits_for_other");
  assert.match(`${message}`, /^A process in another PID namespace does not answer and cannot be/);
  await client.send("yo");
  if (end === "ends") {
    receiver.kill("SIGKILL");
  } else {
    receiver.kill("SIGCONT");
    // It hangs up, before it has acknowledged anything.
    await receiver.closeStdin();
  }
  await proxy.logged("handover_failed");
  assert.equal(await client.read(2), "yo");
  const events = proxy.log().map(({ event }) => event);
  assert.ok(events.indexOf("waits_for_other") < events.indexOf("handover_failed"));
}

/** A proxy takes from one that falls silent when it has given everything, and ends later. */
async function takeFromOneThatEnds(): Promise<void> {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  const { port } = await unusedAddress();
  const steps = STEPS.giver.indexOf("state") + 1;
  await using giver = new FailingPeer("giver", directory, steps, port);
  await giver.heard(/listening/, "stdout");
  const falls = giver.fail("falls silent");
  const runs = [`127.0.0.1:${port}`, "127.0.0.1:9", "--runtime-dir", directory];
  await using receiver = new Running([
    ...UNSHARE,
    ...[...commandOf("proxy"), ...runs, "--takeover=always"],
  ]);
  await falls;
  await receiver.heard(/"event":"waits_for_other"/);
  assert.doesNotMatch(receiver.stderr, /"event":"taken_over"/);
  giver.kill("SIGKILL");
  await receiver.heard(/"event":"taken_over"/);
}

testWith(
  onlyForLong ?? whyNoContainer,
  "one that is silent and cannot be killed is waited for until it ends or answers: nothing goes on",
  async () => {
    await Promise.all([giveToOneThat("ends"), giveToOneThat("answers"), takeFromOneThatEnds()]);
  },
);

testWith(
  onlyForLong ?? whyNoContainer ?? without("python3"),
  "where the kernel does not show who is in another container, that is said, and nothing is moved",
  async () => {
    await using service = await echo();
    await using container = await Container.start(service.address, {
      init: OLDER_KERNEL,
      args: ["--start-drained"],
    });
    const { proxy } = container;
    const why = /: [^\n]*is in another PID namespace[^\n]*: that takes Linux 6\.5\n$/;
    const listen = formatAddress(proxy.address);
    const upstream = formatAddress(service.address);
    const runs = [listen, upstream, "--runtime-dir", proxy.directory, "--takeover=always"];
    await using next = new Running([...commandOf("proxy"), ...runs]);
    const { code, stderr } = await next.finished();
    assert.match(stderr, why);
    assert.equal(code, 1);
    const park = await proxy.ctl(["park"]);
    assert.match(park.stderr, why);
    assert.equal(park.code, 8);
    // In the same namespace it can be told by the number.
    await container.upgrade();
    assert.equal((await proxy.status()).state, "drained");
  },
);
