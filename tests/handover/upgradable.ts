import assert from "node:assert/strict";
import type { Service } from "../relay/peer.ts";
import { Proxy, type ProxyOptions } from "../support/proxy.ts";

/** A proxy whose successors, which are nobody's children, are killed in the end as well. */
export async function upgradable(service: Service, options: ProxyOptions = {}) {
  const stack = new AsyncDisposableStack();
  const proxy = stack.use(await Proxy.start(service.address, options));
  stack.defer(() => {
    // By their command lines: the last may not have been heard of yet.
    for (const { name } of Deno.readDirSync("/proc")) {
      if (/^\d+$/.test(name) && commandLine(name).includes(`\0${proxy.directory}\0`)) {
        kill(Number(name));
      }
    }
  });
  return { proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Has a proxy upgraded, asking directly, and waits until a new process has taken over. */
export async function upgrade(proxy: Proxy): Promise<void> {
  const { status, text } = await proxy.request("POST", "/v1/upgrade");
  assert.equal(status, 200, text);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch { /* it has ended already */ }
}

function commandLine(pid: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}
