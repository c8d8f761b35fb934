import { Option } from "commander";
import { setTimeout as delay } from "node:timers/promises";
import { durationOption } from "../command_line.ts";
import type { Status } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { describeDuration, type Duration } from "../duration.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { isAway } from "./absence.ts";
import { findProxies, type Which } from "./find_proxy.ts";
import { printResult, tell } from "./output.ts";
import { json, named, type Verb, whichOf } from "./verb.ts";

/** How often it is looked, in milliseconds; on another machine, where each look is a login. */
const EVERY = 100;
const EVERY_ELSEWHERE = 1000;

/** What can be waited for. */
const CONDITIONS: Readonly<Record<string, (status: Status) => boolean>> = {
  // One that is parked is drained as well.
  drained: ({ state }) => state === "drained" || state === "parked",
  open: ({ state }) => state === "open",
  parked: ({ state }) => state === "parked",
  "no-connections": ({ active, queued, suspended }) =>
    // One of an earlier version suspends nobody.
    active === 0 && queued === 0 && !suspended,
};

/** `proxyctl wait` */
export const waitVerb: Verb = {
  name: "wait",
  about: "wait until the proxy is such, whoever makes it so",
  define(command) {
    const condition = new Option("--for <condition>", "what to wait for")
      .choices(Object.keys(CONDITIONS)).makeOptionMandatory();
    json(named(command)).addOption(condition);
    durationOption(command, "--timeout <duration>", "how long to wait", "60s");
  },
  run: (command) => wait(whichOf(command), command.opts()),
};

interface WaitOptions {
  readonly for: string;
  readonly timeout: Duration;
  readonly json?: boolean;
}

/** Waits over the end of a proxy and the start of the next, also for the first to come. */
async function wait(which: Which, { for: condition, timeout, json }: WaitOptions): Promise<void> {
  const isMet = CONDITIONS[condition] as (status: Status) => boolean;
  const began = performance.now();
  let proxies: ControlClient[] = [];
  for (let last: Seen[] | Failure = [];;) {
    try {
      if (proxies.length === 0) proxies = await findProxies(which);
      const seen = await Promise.all(proxies.map(async (proxy): Promise<Seen> => {
        return { proxy, status: await proxy.json<Status>("GET", "/v1/status") };
      }));
      last = seen;
      if (seen.every(({ status }) => isMet(status))) {
        return printResult(json, results(seen), describe(seen, performance.now() - began));
      }
    } catch (error) {
      if (!isAway(error)) throw error;
      if (!(last instanceof Failure)) tell(`proxyctl: ${error.message}; waiting for one`);
      last = error;
    }
    const left = timeout === null ? Infinity : timeout - (performance.now() - began);
    if (left <= 0) throw late(last, condition, performance.now() - began);
    const isFar = proxies.some(({ isElsewhere }) => isElsewhere);
    await delay(Math.min(isFar ? EVERY_ELSEWHERE : EVERY, left));
  }
}

/** How a proxy is. */
interface Seen {
  readonly proxy: ControlClient;
  readonly status: Status;
}

function results(seen: readonly Seen[]): unknown {
  const [only] = seen;
  if (only !== undefined && seen.length === 1) return only.status;
  return { proxies: seen.map(({ proxy, status }) => ({ proxy: proxy.directory, ...status })) };
}

function describe(seen: readonly Seen[], waited: number): string {
  const lines = seen.map(({ proxy, status: { state, active, queued, suspended } }) => {
    const held = (queued === null ? "" : `, ${queued} queued`) +
      (suspended ? `, ${suspended} suspended` : "");
    const name = seen.length === 1 ? "" : `${proxy.directory}: `;
    return `${name}${state}, ${active} active${held}`;
  });
  return `After ${describeDuration(waited)}: ${lines.join("; ")}`;
}

/** The failure when the time is over. */
function late(last: readonly Seen[] | Failure, condition: string, waited: number): Failure {
  const [why, exitCode] = last instanceof Failure
    ? [last.message, last.exitCode]
    : [describe(last, waited), EXIT.deadline];
  return new Failure(`Waited in vain for ${condition}. ${why}`, exitCode);
}
