/**
 * The keeper, as the parked proxy sees it.
 *
 * @module
 */

import { type Channel, PATIENCE } from "../handover/channel.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { within } from "../within.ts";
import { parseStandbyMessage, type StandbyMessage } from "./messages.ts";

/** A keeper that has been given everything, and does nothing as long as this process lives. */
export class KeeperLink {
  readonly pid: number;
  /** What to call it: `process 7`. */
  readonly name: string;
  /** Resolves when the keeper is dead. */
  readonly gone: Promise<void>;
  readonly #channel: Channel;
  readonly #patience: number;
  readonly #standingIn = Promise.withResolvers<void>();
  #isGone = false;

  /**
   * @param channel over which it was given everything; is closed with it
   * @param until when it gives up, in milliseconds since the epoch
   * @param patience how long it may be silent, and take to end, in milliseconds
   */
  constructor(channel: Channel, readonly until: number, patience = PATIENCE) {
    this.#channel = channel;
    this.#patience = patience;
    this.pid = channel.pid;
    this.name = channel.name;
    this.gone = this.#watch();
  }

  /** Whether it is dead. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Ends it: from then on everything is this process's alone.
   *
   * @throws {Error} when it lives on whatever is done; then it is the keeper as before
   */
  async end(): Promise<void> {
    if (this.#isGone) return;
    this.#channel.send<StandbyMessage>({ type: "end" });
    await within(this.gone, this.#patience);
    if (this.#isGone) return;
    // One that was stopped must not wake up later, and think that it is alone.
    this.#channel.kill(0);
    await within(this.gone, this.#patience);
    if (this.#isGone) return;
    throw new Error(
      `The keeper (${this.name}) does not end and could not be killed: end it, then try ` +
        "again",
    );
  }

  /**
   * Has it answer at the sockets of the runtime directory. If it does not say that it does, it still
   * will as soon as it sees this process gone.
   *
   * @returns whether there is a keeper
   */
  async standIn(): Promise<boolean> {
    if (this.#isGone) return false;
    this.#channel.send<StandbyMessage>({ type: "stand_in" });
    await within(Promise.race([this.#standingIn.promise, this.gone]), this.#patience);
    return !this.#isGone;
  }

  async #watch(): Promise<void> {
    const channel = this.#channel;
    for (;;) {
      await whichBecomesReadable([channel.descriptor]);
      if (heard(channel) !== "standing_in") break;
      this.#standingIn.resolve();
    }
    // One that is no use any more, but still there, has the socket as well: until it is dead.
    while (!await channel.outlivesWithin(this.#patience)) channel.kill(0);
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
