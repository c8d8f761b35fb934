import { setTimeout as delay } from "node:timers/promises";
import { type Address, formatAddress, parseAddress } from "../address.ts";
import { durationOption, usageError, value } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import type { RetargetResult, UpstreamView } from "../control/api.ts";
import { describeDuration, type Duration, formatDuration, parseQuiet } from "../duration.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { isAway } from "./absence.ts";
import { printResult, tell } from "./output.ts";
import { aboutProxy, json } from "./verb.ts";

/** How often it is looked whether all have moved, in milliseconds. */
const EVERY = 100;

interface RetargetOptions {
  readonly suspendQuiet?: Duration;
  readonly wait?: boolean;
  readonly timeout: Duration;
  readonly json?: boolean;
}

/** `proxyctl retarget` */
export const retargetVerb = aboutProxy({
  name: "retarget",
  about: "send new connections to another upstream, without testing it",
  define(command) {
    json(command)
      .argument("<upstream>", "HOST:PORT of the service", value(parseAddress))
      .option("--wait", "wait until no connection is left elsewhere");
    durationOption(command, "--timeout <duration>", "with --wait: how long to wait", "60s");
    durationOption(
      command,
      "--suspend-quiet <duration>",
      "have connections move over as well, at their client's next byte, once they are quiet for " +
        "that long; until then answers come later by that much. Only for a service that keeps " +
        "nothing per connection, and never speaks unasked: clients that only listen would wait in " +
        "vain (default: as the proxy was told)",
      null,
      parseQuiet,
    );
  },
  run(proxy, command) {
    const [upstream] = command.processedArgs as [Address];
    const options: RetargetOptions = command.opts();
    if (!options.wait && command.getOptionValueSource("timeout") !== "default") {
      throw usageError("--timeout says how long to wait: it needs --wait");
    }
    return retarget(proxy, upstream, options);
  },
});

async function retarget(
  proxy: ControlClient,
  address: Address,
  options: RetargetOptions,
): Promise<void> {
  const { suspendQuiet, wait, json } = options;
  const began = performance.now();
  const result = await proxy.json<RetargetResult>("PUT", "/v1/upstream", {
    upstream: formatAddress(address),
    ...suspendQuiet !== undefined && { suspendQuiet: formatDuration(suspendQuiet) },
  });
  const { upstream, previous } = result;
  const text = `New connections go to ${upstream} (before: ${previous})`;
  if (!wait) return printResult(json, { upstream, previous }, text);
  tell(`${text}; waiting for ${result.elsewhere} elsewhere`);
  await untilMoved(proxy, result, options.timeout, began);
  const waited = performance.now() - began;
  const moved = { upstream, previous, waitedSeconds: Math.round(waited) / 1000 };
  const message = `No connection is left elsewhere than at ${upstream}, after ` +
    describeDuration(waited);
  printResult(json, moved, message);
}

/**
 * Waits until no connection is left elsewhere; also over a move of the proxy to another process.
 *
 * @throws {Failure} when the time is over, or another retarget came
 */
async function untilMoved(
  proxy: ControlClient,
  { upstream, retargets }: RetargetResult,
  timeout: Duration,
  began: number,
): Promise<void> {
  for (;;) {
    let now: UpstreamView;
    try {
      now = await proxy.json<UpstreamView>("GET", "/v1/upstream");
    } catch (error) {
      if (!isAway(error)) throw error;
      throw new Failure(`${error.message}: the connections that it had are gone`, EXIT.ended);
    }
    if (now.retargets !== retargets || now.upstream !== upstream) {
      throw new Failure(
        `New connections do not go to ${upstream} any more, but to ${now.upstream}: ` +
          "somebody else has retargeted the proxy, or it was restarted",
        EXIT.ended,
      );
    }
    if (now.elsewhere === 0) return;
    const waited = performance.now() - began;
    if (timeout !== null && waited >= timeout) {
      const some = now.elsewhere === 1 ? "1 connection is" : `${now.elsewhere} connections are`;
      throw new Failure(
        `After ${describeDuration(waited)} ${some} still elsewhere than at ${upstream}, where ` +
          "new ones go on going; proxyctl connections names them",
        EXIT.deadline,
      );
    }
    await delay(Math.min(EVERY, timeout === null ? EVERY : timeout - waited));
  }
}
