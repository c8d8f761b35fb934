import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../command_line.ts";
import type { Status, UpgradeResult } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { printResult } from "./output.ts";

/** How much longer than usual the answer may take: a process starts, in milliseconds. */
const EXTRA = 20_000;
/** How long the successor may take to answer once it has taken over, in milliseconds. */
const PATIENCE = 10_000;
const PAUSE = 20;

/** `proxyctl upgrade` */
export async function upgrade(proxy: ControlClient, options: { json?: boolean }): Promise<void> {
  const before = await proxy.json<Status>("GET", "/v1/status");
  const { pid } = await proxy.json<UpgradeResult>("POST", "/v1/upgrade", undefined, EXTRA);
  const after = await answerOf(proxy, pid);
  const result = {
    pid: { old: before.pid, new: after.pid },
    version: { old: before.version, new: after.version },
  };
  const text = `Process ${after.pid} (version ${after.version}) has taken over from process ` +
    `${before.pid} (version ${before.version})`;
  printResult(options.json, result, text);
}

/** Waits until that process answers. */
async function answerOf(proxy: ControlClient, pid: number): Promise<Status> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    try {
      const status = await proxy.json<Status>("GET", "/v1/status");
      if (status.pid === pid) return status;
    } catch (error) {
      const isBetween = error instanceof Failure &&
        ([EXIT.noProxy, EXIT.ended] as number[]).includes(error.exitCode);
      if (!isBetween) throw error;
    }
    if (performance.now() > deadline) {
      throw new Failure(`Process ${pid} has taken over, but does not answer`);
    }
    await delay(PAUSE);
  }
}
