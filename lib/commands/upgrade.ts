import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../failure.ts";
import type { Status, UpgradeResult } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { isAway } from "./absence.ts";
import { printResult } from "./output.ts";
import { aboutProxy, json } from "./verb.ts";

/** How much longer than usual the answer may take: a process starts, in milliseconds. */
const EXTRA = 20_000;
/** How long the successor may take to answer once it has taken over, in milliseconds. */
const PATIENCE = 10_000;
const PAUSE = 20;

/** `proxyctl upgrade` */
export const upgradeVerb = aboutProxy({
  name: "upgrade",
  about: "replace the proxy's process by a new one of its executable",
  define: json,
  run: (proxy, command) => upgrade(proxy, command.opts()),
});

async function upgrade(proxy: ControlClient, options: { json?: boolean }): Promise<void> {
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
      if (!isAway(error)) throw error;
    }
    if (performance.now() > deadline) {
      throw new Failure(`Process ${pid} has taken over, but does not answer`);
    }
    await delay(PAUSE);
  }
}
