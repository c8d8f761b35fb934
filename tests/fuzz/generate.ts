/**
 * Makes random scripts.
 *
 * A connection is a conversation of several turns. Before its turn, an end may wait for all that the
 * other has to say in the turns before: since turns have an order, no two ends wait for each other.
 *
 * @module
 */

import type { Random } from "../storm/random.ts";
import { pick } from "./pick.ts";
import type { Amount, ConnectionScript, EndScript, Pause, Reading, Sending } from "./script.ts";
import { LONGEST_PIECE, NUMBER_LENGTH, PERIOD } from "./stream.ts";

/** The end that speaks first: its first bytes say which connection this is. */
export type Introducer = "client" | "service";

/** The lowest and the highest of the numbers to choose from. */
type Range = readonly [number, number];

/** How many turns a conversation has at the most. */
const MOST_TURNS = 6;

/** Ranges of bytes to send or read, from a word to what a relay carries in bulk. */
const AMOUNTS: readonly Range[] = [[1, 100], [1, 5000], [1000, 50_000], [20_000, 500_000]];
const BULK: Range = [500_000, 6_000_000];
const BULK_IS_ONE_IN = 8;

/** Ranges of bytes in a piece. */
const PIECES: readonly Range[] = [[1, 100], [100, 5000], [5000, LONGEST_PIECE]];
/** The most pieces that an amount comes in, and the most if there is a gap between them. */
const MOST_PIECES = 400;
const MOST_PIECES_WITH_GAPS = 100;

/** Ranges of milliseconds. */
const PAUSE: Range = [1, 100];
const LONG_PAUSE: Range = [200, 1000];
const GAP: Range = [1, 5];

/** The ends that go away before their time. */
const BROKEN_OFF_BY = [
  ...[[], [], [], [], [], []],
  ...[["client"], ["client"], ["service"], ["service"], ["client", "service"]],
] as const;

/** What both ends of a connection do. */
export function connectionScript(random: Random, introducer: Introducer): ConnectionScript {
  const said = { client: 0, service: 0, [introducer]: NUMBER_LENGTH };
  const steps: Record<Introducer, Sending[]> = { client: [], service: [] };
  const take = (end: Introducer, step: Sending) => {
    const other = said[end === "client" ? "service" : "client"];
    if (other > 0 && random.oneIn(2)) steps[end].push({ do: "await", bytes: other });
    if (random.oneIn(4)) steps[end].push(pause(random));
    steps[end].push(step);
    if (step.do === "send") said[end] += step.bytes;
  };
  for (let turn = random.between(0, MOST_TURNS); turn > 0; turn--) {
    take(random.oneIn(2) ? "client" : "service", { do: "send", ...amount(random) });
  }
  for (const end of ["client", "service"] as const) take(end, { do: "end" });
  const breakers: readonly Introducer[] = pick(random, BROKEN_OFF_BY);
  const script = (end: Introducer): EndScript => {
    const reading = readingSteps(random);
    if (breakers.includes(end)) breakOff(random, random.oneIn(3) ? reading : steps[end]);
    if (end === introducer) {
      const [bytes, piece] = [NUMBER_LENGTH, random.between(1, NUMBER_LENGTH)];
      steps[end].unshift({ do: "send", bytes, piece, gap: 0 });
    }
    return { sending: steps[end], reading, stream: random.between(0, PERIOD - 1) };
  };
  return { client: script("client"), service: script("service") };
}

/** What a client does that goes away without a word. */
export function silentScript(random: Random): EndScript {
  const parting = { do: random.oneIn(2) ? "reset" : "leave" } as const;
  const sending = random.oneIn(2) ? [parting] : [pause(random), parting];
  return { sending, reading: [], stream: 0 };
}

function readingSteps(random: Random): Reading[] {
  const steps: Reading[] = [];
  for (let count = random.oneIn(2) ? 0 : random.between(1, 4); count > 0; count--) {
    steps.push(random.oneIn(2) ? pause(random, 3) : { do: "read", ...amount(random) });
  }
  return steps;
}

/** Goes away at some point, instead of all that comes after it. */
function breakOff(random: Random, steps: (Sending | Reading)[]): void {
  steps.splice(random.between(0, steps.length));
  steps.push({ do: random.oneIn(2) ? "reset" : "leave" });
}

function amount(random: Random): Amount {
  const bytes = from(random, random.oneIn(BULK_IS_ONE_IN) ? BULK : pick(random, AMOUNTS));
  const gap = random.oneIn(6) ? from(random, GAP) : 0;
  const most = gap > 0 ? MOST_PIECES_WITH_GAPS : MOST_PIECES;
  const piece = Math.max(from(random, pick(random, PIECES)), Math.ceil(bytes / most));
  return { bytes, piece, gap };
}

/** @param longIsOneIn how many pauses there are for a long one */
function pause(random: Random, longIsOneIn = 8): Pause {
  const milliseconds = from(random, random.oneIn(longIsOneIn) ? LONG_PAUSE : PAUSE);
  return { do: "pause", milliseconds };
}

function from(random: Random, [lowest, highest]: Range): number {
  return random.between(lowest, highest);
}
