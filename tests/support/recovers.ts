import type { Status } from "../../lib/control/api.ts";
import type { Proxy } from "./proxy.ts";
import { until } from "./until.ts";

/** How long it may take, in milliseconds. */
const SOON = 2000;

/** Has a proxy be open, with nobody there. @returns whether it soon is */
export async function recovers(proxy: Proxy): Promise<boolean> {
  try {
    const { pid, state, owner } = await proxy.status();
    if (pid !== proxy.process.pid) return false;
    if (state !== "open" && owner !== null) await proxy.resume({ owner });
    const deadline = performance.now() + SOON;
    const isQuiet = ({ state, active, queued, suspended }: Status) =>
      state === "open" && active + (queued ?? 0) + suspended === 0;
    const status = await until(
      () => proxy.status(),
      (status) => isQuiet(status) || performance.now() > deadline,
    );
    return isQuiet(status);
  } catch {
    return false;
  }
}
