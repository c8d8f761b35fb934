import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { pause, steady } from "../relay/waiting.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";

/** How long to look, in milliseconds. */
const LOOK = 2500;

/** What a process has used of the processor, in ticks. Source: proc_pid_stat(5). */
function ticks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** How often its main thread went to sleep. */
function sleeps(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]);
}

testWith(
  Deno.build.os === "linux" ? null : "no /proc",
  "a proxy with nothing to do does nothing: open with idle clients, or drained with a lease",
  async () => {
    await using service = await echo();
    await using open = await Proxy.start(service.address, { args: ["--idle-timeout", "1h"] });
    await using drained = await Proxy.start(service.address);
    using _client = await open.served();
    await drained.drain();
    using _held = await drained.connect();
    await drained.until(({ queued }) => queued === 1);
    const pids = [open.process.pid, drained.process.pid];
    // What the last request left to do is done after a moment, or a longer one.
    for (const pid of pids) await steady(() => ticks(pid), 500);
    const before = pids.map((pid) => [ticks(pid), sleeps(pid)]);
    await pause(LOOK);
    for (const [index, pid] of pids.entries()) {
      const used = ticks(pid) - (before[index]?.[0] ?? 0);
      const slept = sleeps(pid) - (before[index]?.[1] ?? 0);
      assert.ok(used <= 1, `${used} ticks`);
      // Idle clients may have to be looked after; who is queued need not.
      if (pid === drained.process.pid) assert.ok(slept <= 2, `woken ${slept} times`);
    }
  },
);
