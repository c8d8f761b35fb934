import assert from "node:assert/strict";
import { brieflyOr, isLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { Disturbed } from "./disturbed.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How many takeovers are disturbed. */
const KILLS = brieflyOr(2, 100);

testWith(
  whyNoTakeover,
  `whoever is killed at whatever moment of ${KILLS} takeovers, one serves, or all see an end; no byte is wrong`,
  async () => {
    await using stage = await Disturbed.begin();
    const outcomes: Record<string, number> = {};
    for (let kill = 0; kill < KILLS; kill++) {
      const next = await stage.takeover();
      const isGiver = Math.random() < 0.5;
      const [victim, other] = isGiver ? [stage.current, next] : [next, stage.current];
      victim.kill("SIGKILL");
      await victim.finished();
      const lives = await Promise.race([
        other.finished().then(() => false),
        isGiver ? stage.serving(other).then(() => true, () => false) : stage.answers(other),
      ]);
      // Who had been given everything takes all with it; who was given nothing begins anew.
      if (isGiver) assert.ok(lives, other.stderr);
      const goOn = lives && (!isGiver || /"event":"taken_over"/.test(other.stderr));
      await stage.check(goOn);
      stage.wasLate(isGiver ? goOn : !lives);
      const what = `${isGiver ? "giver" : "receiver"} killed, ` +
        (lives ? `the other serves, clients ${goOn ? "go on" : "saw an end"}` : "nobody left");
      outcomes[what] = (outcomes[what] ?? 0) + 1;
      stage.current = lives ? other : stage.launch();
      await stage.serving(stage.current);
      await stage.answers(stage.current);
      await stage.connect();
    }
    await stage.settle();
    if (isLong) Deno.stdout.writeSync(new TextEncoder().encode(Deno.inspect(outcomes)));
  },
);
