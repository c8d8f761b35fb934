/**
 * What can be replaced under its connections: our proxy, and HAProxy.
 *
 * @module
 */

import type { Address } from "../../lib/address.ts";
import { formatAddress } from "../../lib/address.ts";
import { type Service, unusedAddress } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { Lineage } from "./lineage.ts";

/** For how long it is looked whether a process that was replaced goes, in milliseconds. */
const LONGEST_STAY = 5000;

/** Something with connections through it that can be replaced by a new process. */
export interface Replaced extends AsyncDisposable {
  readonly address: Address;
  /**
   * Replaces it, and waits until the old process is gone.
   *
   * @returns how long that took after the new one had begun to serve, in milliseconds; `null` if it
   *   stays for as long as its connections
   */
  replace(): Promise<number | null>;
}

/** Our proxy, by takeover. */
export async function ours(service: Service): Promise<Replaced> {
  const lineage = await Lineage.found(service.address);
  return {
    address: lineage.address,
    async replace() {
      const before = await lineage.succeed(service.address);
      const handedOver = await before.logged("handed_over");
      await before.process.finished();
      return Date.now() - Date.parse(`${handedOver["@timestamp"] ?? handedOver["time"]}`);
    },
    [Symbol.asyncDispose]: () => lineage[Symbol.asyncDispose](),
  };
}

/**
 * HAProxy, by the reload of its master.
 *
 * @param hardStop after how long an old process cuts its connections, in its own words; `null` is never
 */
export async function haproxy(service: Service, hardStop: string | null): Promise<Replaced> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await TemporaryDirectory.make());
  const address = await unusedAddress();
  const config = `${path}/haproxy.cfg`;
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
  maxconn 8000
  stats socket ${path}/stats level admin expose-fd listeners
  ${hardStop === null ? "" : `hard-stop-after ${hardStop}`}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen measured
  bind ${formatAddress(address)} backlog 4096
  server service ${formatAddress(service.address)}
`,
  );
  const master = stack.use(new Running(["haproxy", "-W", "-f", config]));
  let loaded = 0;
  const serving = async () => {
    await master.heard(new RegExp(`(?:Loading success[^]*?){${++loaded}}`));
  };
  await serving();
  const all = stack.move();
  return {
    address,
    async replace() {
      const before = workersOf(master.pid);
      master.kill("SIGUSR2");
      await serving();
      const begun = performance.now();
      const stays = () => workersOf(master.pid).some((worker) => before.includes(worker));
      while (stays() && performance.now() - begun < LONGEST_STAY) await pause(5);
      return stays() ? null : performance.now() - begun;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The processes that a master has forked. */
function workersOf(master: number): string[] {
  const children = Deno.readTextFileSync(`/proc/${master}/task/${master}/children`);
  return children.split(" ").filter((child) => child !== "");
}
