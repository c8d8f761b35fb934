/**
 * CPU time that processes have used so far, in microseconds.
 *
 * Source: the first number of /proc/PID/task/TID/schedstat is the time on the CPU in nanoseconds
 * (Documentation/scheduler/sched-stats.rst); the ticks of /proc/PID/stat are too coarse.
 */
export function cpuTime(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
      nanoseconds += Number(text.split(" ")[0]);
    }
  }
  return nanoseconds / 1000;
}
