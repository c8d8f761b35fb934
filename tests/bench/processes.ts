/**
 * What processes use, with the children that they fork.
 *
 * @module
 */

import { libc } from "../../lib/linux/libc.ts";

/** How long a tick of /proc/PID/stat is, in microseconds: USER_HZ is 100 (proc(5), time(7)). */
const TICK = 10_000;

/** With the complement of the process id shifted by 3: the clock of its CPU time (posix-timers.h). */
const CPUCLOCK_SCHED = 2;

/** A page of memory in /proc is told in units of 1024 bytes (proc(5)). */
const KIB = 1024;

/**
 * CPU time that a process, its children and those of them that have ended have used so far, in
 * microseconds, with all their threads, those that have ended as well.
 *
 * A process has a clock of its own CPU time in nanoseconds, which others may read
 * (clock_getcpuclockid(3)). The time of children that have ended is in /proc/PID/stat alone
 * (`cutime` and `cstime`); the kernel adds it up exactly, but shows it in ticks.
 */
export function cpuTime(pid: number): number {
  let microseconds = 0;
  for (const member of familyOf(pid)) {
    microseconds += ownTime(member) + endedChildren(member) * TICK;
  }
  return microseconds;
}

/**
 * What of {@linkcode cpuTime} was spent in the kernel, in microseconds. That is an estimate of the
 * kernel itself, by what each tick finds, in ticks (`stime`).
 */
export function systemTime(pid: number): number {
  return familyOf(pid).reduce((sum, member) => sum + (fieldsOf(member)[12] ?? 0), 0) * TICK;
}

/**
 * Memory of a process and its children, in bytes: the sum of Pss, which is what is theirs alone and
 * their share of what they have in common with others (/proc/PID/smaps_rollup, proc(5)). What the
 * kernel keeps for their sockets and pipes is not in it.
 */
export function memory(pid: number): number {
  let kibibytes = 0;
  for (const member of familyOf(pid)) {
    const line = /^Pss: +(\d+) kB$/m.exec(read(`/proc/${member}/smaps_rollup`));
    kibibytes += Number(line?.[1] ?? 0);
  }
  return kibibytes * KIB;
}

/** A process and all that descend from it. */
export function familyOf(pid: number): number[] {
  const family = [pid];
  // It grows while it is gone through.
  for (const member of family) {
    for (const thread of threadsOf(member)) {
      const children = read(`/proc/${member}/task/${thread}/children`);
      family.push(...children.split(" ").filter((child) => child !== "").map(Number));
    }
  }
  return family;
}

function threadsOf(pid: number): string[] {
  try {
    return Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => name);
  } catch {
    return []; // it has ended meanwhile
  }
}

/** Of a process alone, in microseconds; 0 if it has ended meanwhile. */
function ownTime(pid: number): number {
  const time = new BigInt64Array(2);
  const clock = (~pid << 3) | CPUCLOCK_SCHED;
  if (libc.clock_gettime(clock, new Uint8Array(time.buffer)) !== 0) return 0;
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1e6 + Number(nanoseconds) / 1000;
}

/** In ticks: fields 16 and 17. */
function endedChildren(pid: number): number {
  const fields = fieldsOf(pid);
  return (fields[13] ?? 0) + (fields[14] ?? 0);
}

/** What /proc/PID/stat says, from its third field on; nothing if the process has ended meanwhile. */
function fieldsOf(pid: number): number[] {
  // The second field is a name in parentheses, which may have anything in it.
  const text = read(`/proc/${pid}/stat`).replace(/^.*\) /s, "");
  return text === "" ? [] : text.split(" ").map(Number);
}

/** A file of /proc; empty if its process has ended meanwhile. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
