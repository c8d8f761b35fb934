import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { writeError } from "../standard_streams.ts";
import { libc } from "../linux/libc.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { adoptOrphans, openProcess, signalProcess } from "../linux/process.ts";
import { messageOf } from "../message_of.ts";
import { becomeReaper, holdSignals, type ReaperCommand, reaperCommand } from "./become.ts";
import { endedChildren } from "./ended_children.ts";
import { Line } from "./line.ts";

/** How long a signal that has come may take until it is heard of, in milliseconds. */
const SETTLE = 250;

/** What is left to do for a process that is succeeded, where its end would end its successor. */
export class Remaining {
  /** Ties those who take over to this process. */
  readonly line: Line;
  readonly #command: ReaperCommand;
  #pid = 0;
  #successor: number | null = null;

  private constructor(line: Line, command: ReaperCommand) {
    this.line = line;
    this.#command = command;
  }

  /**
   * Sees to it that this process can stay.
   *
   * @param own what it was started with
   * @throws {Error} saying why it cannot
   */
  static async prepare(own: Promise<OwnCommand>): Promise<Remaining> {
    try {
      const command = reaperCommand(await own);
      if (Deno.pid !== 1) adoptOrphans();
      return new Remaining(Line.begin(), command);
    } catch (error) {
      throw new Error(
        `process ${Deno.pid} would have to stay, because what takes over would end with it, and ` +
          `cannot: ${messageOf(error)}`,
      );
    }
  }

  /** Hears who has taken over. */
  succeeded(pid: number): void {
    this.#pid = pid;
    try {
      this.#successor = openProcess(pid);
    } catch { /* it has ended already */ }
  }

  /** Passes on that the proxy is to stop, which was said to this process. */
  stop(): void {
    if (this.#successor !== null) signalProcess(this.#successor, constants.signals.SIGTERM);
  }

  /** Stays, as the reaper; resolves only where it cannot become that, when nobody serves any more. */
  async stay(): Promise<void> {
    const { reader } = this.line;
    if (reader === null) return;
    holdSignals();
    // A signal that has come by now is heard of, and passed on, here.
    await delay(SETTLE);
    try {
      becomeReaper(this.#command, reader, endedChildren.get(this.#pid));
    } catch (error) {
      writeError(`Process ${Deno.pid} stays as it is: ${messageOf(error)}`);
    }
    libc.close(this.line.writer);
    const buffer = new Uint8Array(4096);
    do await whichBecomesReadable([reader]); while (libc.read(reader, buffer, buffer.length) !== 0);
  }
}
