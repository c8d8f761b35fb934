/**
 * The keeper, as the parked proxy sees it.
 *
 * @module
 */

import { type Channel, PATIENCE } from "../handover/channel.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { parseStandbyMessage } from "./messages.ts";

/** A keeper that has been given everything, and does nothing as long as this process lives. */
export class KeeperLink {
  readonly pid: number;
  /** Resolves when the keeper is dead. */
  readonly gone: Promise<void>;
  readonly #channel: Channel;
  readonly #standingIn = Promise.withResolvers<void>();
  #isGone = false;

  /**
   * @param channel over which it was given everything; is closed with it
   * @param until when it gives up, in milliseconds since the epoch
   */
  constructor(channel: Channel, readonly until: number) {
    this.#channel = channel;
    this.pid = channel.pid;
    this.gone = this.#watch();
  }

  /** Whether it is dead. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Ends it: from then on everything is this process's alone. */
  async end(): Promise<void> {
    if (this.#isGone) return;
    this.#channel.send({ type: "end" });
    await within(this.gone);
    // One that was stopped must not wake up later, and think that it is alone.
    if (!this.#isGone) this.#channel.kill();
    await this.gone;
  }

  /**
   * Has it answer at the sockets of the runtime directory. If it does not say that it does, it still
   * will as soon as it sees this process gone.
   *
   * @returns whether there is a keeper
   */
  async standIn(): Promise<boolean> {
    if (this.#isGone) return false;
    this.#channel.send({ type: "stand_in" });
    await within(Promise.race([this.#standingIn.promise, this.gone]));
    return !this.#isGone;
  }

  async #watch(): Promise<void> {
    const channel = this.#channel;
    for (;;) {
      await whichBecomesReadable([channel.descriptor]);
      if (heard(channel) !== "standing_in") break;
      this.#standingIn.resolve();
    }
    // One that is no use any more, but still there, has the socket as well.
    if (!channel.outlives()) channel.kill();
    this.#isGone = true;
    channel[Symbol.dispose]();
  }
}

/** What it says; `null` for nothing that can be understood. */
function heard(channel: Channel): string | null {
  try {
    const received = channel.receive();
    return typeof received === "string" ? null : parseStandbyMessage(received.json)?.type ?? null;
  } catch {
    return null;
  }
}

/** Waits, but not for ever. */
async function within(promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, PATIENCE));
  await Promise.race([promise, limit]);
  clearTimeout(timer);
}
