import { cpuTime } from "../processes.ts";
import type { Row } from "./row.ts";

/**
 * How long it is left alone after its start, in milliseconds: for half a minute V8 still tidies up
 * after it, and threads that Deno needs no more end.
 */
const SETTLING = 45_000;
/** How long it is watched, in milliseconds. */
const WATCHED = 10_000;

/** What a proxy uses while nobody uses it. */
export const idle: Row = {
  name: "idle",
  whom: "proxies",
  atOnce: true,
  // Below half a millisecond it is none, when it is rounded.
  figures: [{ of: "cpu", title: "ms CPU in 10 s", better: "less", goal: { atMost: 0.5 } }],
  async measure(stage, contender) {
    const { pid } = await stage.start(contender);
    await sleep(SETTLING);
    const before = cpuTime(pid);
    await sleep(WATCHED);
    return { cpu: (cpuTime(pid) - before) / 1000 };
  },
};

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
