/**
 * The reaper: what becomes of a proxy that was succeeded, where its end would end its successor (see
 * {@linkcode consequenceOfEnd}). It has no connections, no socket and no event loop.
 *
 * @module
 */

import { libc } from "../linux/libc.ts";
import { whichAreReadable } from "../linux/poll.ts";
import { endedChild, openProcess, signalProcess } from "../linux/process.ts";
import { hasTerminal } from "../linux/signals.ts";
import { openSignals, readSignal } from "../linux/waiting_signals.ts";
import { IN_PEACE } from "./line.ts";
import { emptyMailbox } from "./mailbox.ts";
import { PASSED_ON, SIGCHLD, SIGHUP, SIGTERM } from "./signals.ts";

/**
 * Waits until nobody serves any more, passes signals on meanwhile, and takes note of every child that
 * ends.
 *
 * @param args the descriptor of the line's reading end, and the exit code of the one that serves, if
 * that has ended already
 * @returns the exit code of the last who served
 */
export function reap([descriptor, code]: readonly string[]): number {
  const line = Number(descriptor);
  const signals = openSignals([...PASSED_ON, SIGCHLD]);
  const members = new Members();
  const hadTerminal = hasTerminal();
  members.hear(line);
  if (code !== undefined) members.ended(Number(code));
  const kept = emptyMailbox();
  if (kept !== null) members.signal(kept);
  for (;;) {
    whichAreReadable([line, signals]);
    // First: a signal is for who was announced before it came.
    const isOver = !members.hear(line);
    for (let signal = readSignal(signals); signal !== null; signal = readSignal(signals)) {
      if (signal === SIGHUP && hadTerminal && !hasTerminal()) members.hangUp();
      else if (signal !== SIGCHLD) members.signal(signal);
    }
    members.bury();
    if (isOver) return members.lastCode();
  }
}

/** Those who serve, or are about to. */
class Members {
  /** Their descriptors, by process id. */
  readonly #processes = new Map<number, number>();
  readonly #buffer = new Int32Array(256);
  #last = IN_PEACE;
  #code: number | null = null;
  #inPeace = false;
  #hungUp = false;

  /** Reads who is about to serve. @returns whether there still is somebody */
  hear(line: number): boolean {
    for (;;) {
      const count = libc.read(line, new Uint8Array(this.#buffer.buffer), this.#buffer.byteLength);
      if (count <= 0) return count !== 0;
      for (const pid of this.#buffer.subarray(0, count / 4)) this.#add(pid);
    }
  }

  /** Hears how the last one has ended. */
  ended(code: number): void {
    this.#code = code;
  }

  /** One that takes over may not have done so yet, and one that is succeeded takes no notice. */
  signal(signal: number): void {
    for (const process of this.#processes.values()) signalProcess(process, signal);
  }

  /** Has them stop, as this process would itself when its terminal is gone. */
  hangUp(): void {
    if (!this.#hungUp) this.signal(SIGTERM);
    this.#hungUp = true;
  }

  /** Takes note of all children that have ended. */
  bury(): void {
    for (let child = endedChild(); child !== null; child = endedChild()) {
      if (child.pid === this.#last) this.#code = child.code;
      this.#forget(child.pid);
    }
  }

  /** The exit code of the last one, which is dead or dying. */
  lastCode(): number {
    const process = this.#processes.get(this.#last);
    if (process !== undefined) {
      whichAreReadable([process]);
      this.bury();
    }
    // One that was started by somebody else is seen to end, but not how.
    return this.#code ?? (this.#inPeace ? 0 : 1);
  }

  #add(pid: number): void {
    if (pid === IN_PEACE) {
      this.#inPeace = true;
      return;
    }
    this.#last = pid;
    this.#code = null;
    this.#inPeace = false;
    for (const [pid, process] of this.#processes) if (!signalProcess(process, 0)) this.#forget(pid);
    if (pid === Deno.pid || this.#processes.has(pid)) return;
    try {
      this.#processes.set(pid, openProcess(pid));
    } catch { /* it has ended already */ }
  }

  #forget(pid: number): void {
    const process = this.#processes.get(pid);
    if (process !== undefined) libc.close(process);
    this.#processes.delete(pid);
  }
}
