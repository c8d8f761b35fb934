import assert from "node:assert/strict";
import { echo, unusedAddress } from "../relay/peer.ts";
import { HeldSocket } from "../storm/held_socket.ts";
import { whyNotPassing } from "../support/passing.ts";
import { onlyForLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { type Failing, FailingPeer, peerCommand } from "./peer.ts";
import { STEPS } from "./peer_process.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How many messages are all that is needed to go on. */
const ENOUGH = STEPS.giver.indexOf("state") + 1;

/** Starts a proxy against a giver that fails. @returns which event its log begins with */
async function startAgainst(steps: number, how: Failing) {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  await using service = await echo();
  const { port } = await unusedAddress();
  await using giver = new FailingPeer("giver", directory, steps, port);
  await giver.heard(/listening/, "stdout");
  const failed = giver.fail(how);
  const listen = `127.0.0.1:${port}`;
  const args = ["--takeover=always"];
  const serves = Proxy.start(service.address, { directory, listen, args }).catch((error) =>
    `${error}`
  );
  await failed;
  const proxy = await serves;
  if (typeof proxy === "string") return proxy;
  await using _proxy = proxy;
  using client = await proxy.served();
  assert.equal(client.received, 2);
  const { accepted } = await proxy.status();
  // It goes on counting if it has taken over.
  assert.equal(accepted, steps >= ENOUGH ? 8 : 1);
  const [first] = proxy.log();
  return `${first?.["event"]}`;
}

/** For each step, from nothing said to all said. */
const against = (how: Failing) =>
  Promise.all(
    [0, ...STEPS.giver.keys().map((step) => step + 1)].map((one) => startAgainst(one, how)),
  );

testWith(
  whyNoTakeover,
  "a giver that dies before all was sent: its successor begins anew; later: it goes on",
  async () => {
    assert.deepEqual(await against("dies"), [
      "listen",
      "listen",
      "listen",
      "listen",
      "taken_over",
      "taken_over",
    ]);
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "a giver that falls silent is left alone, or killed once it has sent everything",
  async () => {
    const all = await against("falls silent");
    for (const early of all.slice(0, ENOUGH)) {
      assert.match(early, /process \d+ does not answer; kill it if it hangs for good\n/);
    }
    assert.deepEqual(all.slice(ENOUGH), ["taken_over", "taken_over"]);
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "a giver that hangs up and lives has not given anything, unless it had committed",
  async () => {
    const refused = await against("hangs up");
    assert.equal(refused.pop(), "taken_over");
    for (const line of refused) assert.match(line, /process \d+ (does not answer; .*|went away)\n/);
  },
);

testWith(
  whyNoTakeover ?? whyNotPassing(),
  "a giver that dies in the middle leaves no mark on a socket that somebody else holds as well",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    using held = new HeldSocket();
    const { address } = held;
    const port = Number(address.split(":")[1]);
    const steps = STEPS.giver.indexOf("state") + 1;
    await using giver = new Running(
      held.passedTo(peerCommand("giver", directory, steps, port, 1)),
    );
    await giver.heard(/listening/, "stdout");
    const starting = Proxy.start(service.address, {
      directory,
      listen: address,
      args: ["--takeover=always"],
      through: held.passedTo([]),
    });
    await giver.heard(/reached/, "stdout");
    giver.kill("SIGKILL");
    await using proxy = await starting;
    assert.equal(proxy.log()[0]?.["event"], "giver_died");
    using client = await proxy.served();
    client.finish();
    assert.equal(await client.ending, "end");
  },
);
