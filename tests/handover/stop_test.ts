import assert from "node:assert/strict";
import { PATIENCE } from "../../lib/handover/channel.ts";
import { Service } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { brieflyOr, isLong, onlyForLong } from "../support/long.ts";
import type { Running } from "../support/programs.ts";
import { testWith } from "../support/tools.ts";
import { Disturbed } from "./disturbed.ts";
import { Lineage } from "./lineage.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How many takeovers are disturbed. */
const STOPS = brieflyOr(2, 20);

/** For how long a process is stopped: longer than the other waits for it, or not. */
const STOPPED_FOR = [PATIENCE + 1500, PATIENCE / 5];

testWith(
  onlyForLong ?? whyNoTakeover,
  `whoever is stopped for a while at whatever moment of ${STOPS} takeovers, just one serves in the end; no byte is wrong`,
  async () => {
    const rounds = Array.from({ length: STOPS }, (_, index) => index);
    const outcomes: Record<string, number> = {};
    await using stage = await Disturbed.begin();
    for (const round of rounds) {
      const next = await stage.takeover();
      const isGiver = Math.random() < 0.5;
      const victim = isGiver ? stage.current : next;
      victim.kill("SIGSTOP");
      await pause(STOPPED_FOR[round % STOPPED_FOR.length] ?? 0);
      victim.kill("SIGCONT");
      const { loser, winner } = await outcome(stage.current, next);
      await stage.answers(winner);
      // Who was killed before it had sent everything has lost its connections; nobody else has.
      const died = /"event":"giver_died"/.test(winner.stderr);
      await stage.check(!died);
      assert.ok(!died || isGiver, winner.stderr);
      const succeeded = winner === next;
      stage.wasLate(isGiver ? !died : succeeded);
      const { signal } = await loser.finished();
      const what = `${isGiver ? "giver" : "receiver"} stopped, ` +
        `${succeeded ? "receiver" : "giver"} serves, the other ${signal ? "was killed" : "ended"}` +
        `, clients ${died ? "saw an end" : "go on"}`;
      outcomes[what] = (outcomes[what] ?? 0) + 1;
      stage.current = winner;
      await stage.connect();
    }
    await stage.settle();
    if (isLong) Deno.stdout.writeSync(new TextEncoder().encode(Deno.inspect(outcomes)));
  },
);

/** Waits until one of the two has ended. */
function outcome(giver: Running, receiver: Running): Promise<{ loser: Running; winner: Running }> {
  return Promise.race([
    giver.finished().then(() => ({ loser: giver, winner: receiver })),
    receiver.finished().then(() => ({ loser: receiver, winner: giver })),
  ]);
}

testWith(
  onlyForLong ?? whyNoTakeover,
  "an old process that is stopped as soon as it has handed over keeps nobody from an end",
  async () => {
    await using service = await Service.start();
    await using lineage = await Lineage.found(service.address);
    using wire = await Wire.through(lineage.address, service);
    const before = lineage.proxy;
    const succeeded = lineage.succeed(service.address);
    await before.logged("handed_over");
    before.process.kill("SIGSTOP");
    await succeeded;
    wire.client.socket.end();
    await wire.service.until(() => wire.service.ending === "end", "an end");
    wire.service.socket.end();
    await wire.client.until(() => wire.client.ending === "end", "an end");
    await lineage.proxy.logged("killed");
    assert.equal((await before.process.finished()).signal, "SIGKILL");
  },
);
