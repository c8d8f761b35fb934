import type { Random } from "../random.ts";
import { Broken } from "./broken.ts";
import { Call } from "./call.ts";
import { Moves } from "./moves.ts";
import { pause } from "./pause.ts";
import { addFault, type Tally } from "./tally.ts";
import { SeenByOne, type Versions } from "./versions.ts";

/** How long a client pauses between an answer and its next request, in milliseconds. */
const PAUSE = [0, 40] as const;

/** Whom a client is that stays. */
export interface Staying {
  readonly port: number;
  readonly versions: Versions;
  readonly tally: Tally;
  readonly random: Random;
  /** Whether it is to leave. */
  readonly isOver: () => boolean;
}

/**
 * Stays connected until the end, and asks all the time: for the version, and for something that only
 * this request is about, so that every answer is known to be its own. What goes wrong is counted.
 */
export async function stay({ port, versions, tally, random, isOver }: Staying): Promise<void> {
  // It waits for an answer while its service is replaced: that is no pause of a move.
  const call = new Call(port, tally, new Moves());
  const seen = new SeenByOne(versions);
  try {
    for (let request = 1; !isOver(); request++) {
      const lowest = versions.highest;
      const asked = performance.now();
      // In one piece or in two, which the service answers one after the other.
      const second = `request ${request}`;
      if (random.oneIn(2)) await call.send(`hello\r\n${second}\r\n`);
      else {
        await call.send("hello\r\n");
        await call.send(`${second}\r\n`);
      }
      seen.by(await call.line(), lowest);
      const answer = await call.line();
      if (answer !== `Unknown command: "${second}". Say "hello" or "quit".`) {
        throw new Broken("wrong", `"${second}" was answered ${JSON.stringify(answer)}`);
      }
      tally.answers += 2;
      tally.longestWait = Math.max(tally.longestWait, performance.now() - asked);
      await pause(random.between(...PAUSE));
    }
    await call.send("quit\r\n");
    await call.finish();
    tally.stayed++;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    addFault(tally, error.fault, `staying: ${error.message}`);
  } finally {
    call.destroy();
  }
}
