/**
 * The socket at which a process waits for somebody who takes over from it.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { AppearingSocket } from "../runtime_directory/appearing_socket.ts";
import { Failure } from "../failure.ts";
import { describeDuration } from "../duration.ts";
import { libc } from "../linux/libc.ts";
import { makeEventCounter, raise } from "../linux/event_counter.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { acceptAt, listenAtPath } from "../linux/unix_socket.ts";
import { messageOf } from "../message_of.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { Channel, PATIENCE } from "./channel.ts";
import { type Asker, give, type Given, type Giver, offer } from "./giver.ts";
import {
  type GiverMessage,
  type Kind,
  parseReceiverMessage,
  refuseOtherProtocol,
} from "./messages.ts";

type Told = (given: Given, asker: Asker) => void | Promise<void>;

/** How long nobody is accepted for want of descriptors or memory, in milliseconds. */
const PAUSE = 100;

/** How many may be heard at the same time. */
const MOST_ATTEMPTS = 8;

/** The handover socket before anybody finds it: with it, nothing that may fail is left to be done. */
export class HandoverSocket {
  /** Raised by who is to stop waiting at it. */
  readonly stop = makeEventCounter();

  private constructor(readonly name: AppearingSocket, readonly descriptor: number) {}

  /**
   * @param directory the runtime directory
   * @throws {Failure} when it cannot be made
   */
  static async bind(directory: string): Promise<HandoverSocket> {
    const name = new AppearingSocket(pathsIn(directory).handover);
    try {
      const descriptor = listenAtPath(name.temporary);
      await Deno.chmod(name.temporary, 0o600);
      return new HandoverSocket(name, descriptor);
    } catch (error) {
      throw new Failure(`Failed to make the handover socket in ${directory}: ${messageOf(error)}`);
    }
  }

  /** Gives it up. */
  async close(): Promise<void> {
    await this.name.disappear();
    this.release();
  }

  /** Gives up what is behind the name, which may be somebody else's by now. */
  release(): void {
    libc.close(this.descriptor);
    libc.close(this.stop);
  }
}

/** Waits for a successor. */
export class HandoverListener {
  readonly #socket: HandoverSocket;
  readonly #stop: number;
  readonly #stopped: Promise<void>;
  readonly #gone = Promise.withResolvers<number>();
  #isGone = false;
  /** Who is being given everything just now. */
  #taker: { readonly name: string; readonly kind: Kind; readonly done: Promise<void> } | null =
    null;
  #closed: Promise<void> | null = null;

  private constructor(socket: HandoverSocket, giver: Giver, told: Told) {
    this.#socket = socket;
    this.#stop = socket.stop;
    this.#stopped = this.#serve(giver, told);
  }

  /**
   * Listens, for our own user and for root.
   *
   * @param socket appears now
   * @param told hears what came of each attempt to take over, and by whom
   */
  static async listen(
    socket: HandoverSocket,
    giver: Giver,
    told: Told,
  ): Promise<HandoverListener> {
    await socket.name.clearRemains();
    await socket.name.appear();
    return new HandoverListener(socket, giver, told);
  }

  /** Resolves when another process has taken everything, to its pid. */
  get gone(): Promise<number> {
    return this.#gone.promise;
  }

  /** Whether another process has taken everything. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Waits for nobody any more; an attempt that has begun is finished first. Whoever comes now waits
   * until {@linkcode close}, which sends them away.
   */
  async stop(): Promise<void> {
    // Once it is closed, the number may be somebody else's.
    if (this.#closed === null) raise(this.#stop);
    await this.#stopped;
  }

  /** Stops, and removes the socket if it is still the one that was bound. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.stop();
    // A successor puts its own in this place, perhaps just now.
    if (this.#isGone) this.#socket.release();
    else await this.#socket.close();
  }

  async #serve(giver: Giver, told: Told): Promise<void> {
    const { descriptor } = this.#socket;
    const attempts = new Set<Promise<void>>();
    for (;;) {
      const readable = await whichBecomesReadable([descriptor, this.#stop]);
      if (readable.includes(this.#stop)) break;
      if (!readable.includes(descriptor)) continue;
      // One that connects and says nothing must not keep another one away.
      const attempt = this.#attempt(giver, told).finally(() => attempts.delete(attempt));
      attempts.add(attempt);
      if (attempts.size === MOST_ATTEMPTS) await Promise.race(attempts);
    }
    await Promise.all(attempts);
  }

  async #attempt(giver: Giver, told: Told): Promise<void> {
    const channel = await this.#accept(giver);
    if (channel === null) return;
    using open = new DisposableStack();
    open.use(channel);
    try {
      const asker = await this.#agree(channel, giver);
      if (asker === null) return;
      const { kind } = asker;
      const given = await this.#giveTo(asker, giver);
      if (given.gone && (kind === "keeper" || asker.line?.isOurs)) open.move();
      try {
        await told(given, asker);
      } finally {
        // Whatever came of telling it: everything is the other process's.
        if (given.gone && kind === "proxy") this.#end(channel.pid);
      }
    } catch (error) {
      channel.send<GiverMessage>({ type: "refusal", reason: messageOf(error) });
    }
  }

  async #accept({ warn }: Giver): Promise<Channel | null> {
    let socket: number;
    try {
      socket = acceptAt(this.#socket.descriptor);
    } catch {
      await delay(PAUSE);
      return null;
    }
    try {
      return new Channel(socket, warn);
    } catch {
      // It was gone before it could be looked at.
      libc.close(socket);
      return null;
    }
  }

  async #giveTo(asker: Asker, giver: Giver): Promise<Given> {
    // Whoever would park it while it is being parked is told what has come of that.
    while (this.#taker?.kind === "keeper" && asker.kind === "keeper") await this.#taker.done;
    if (this.#taker !== null) throw new Error(`${this.#taker.name} takes over already`);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#taker = { name: asker.channel.name, kind: asker.kind, done };
    const given = await give(asker, giver, this.#stop);
    if (!given.gone || asker.kind === "keeper") this.#taker = null;
    resolve();
    return given;
  }

  #end(successor: number): void {
    this.#isGone = true;
    this.#gone.resolve(successor);
    raise(this.#stop);
  }

  /** Finds out whether somebody wants everything, and may have it. @returns `null` if not */
  async #agree(channel: Channel, giver: Giver): Promise<Asker | null> {
    if (channel.uid !== Deno.uid() && channel.uid !== 0) {
      channel.send<GiverMessage>({
        type: "refusal",
        reason: `user ${channel.uid} may not take over from user ${Deno.uid()}`,
      });
      return null;
    }
    if (channel.whyUnsafe !== null) throw new Error(channel.whyUnsafe);
    const hello = await this.#hear(channel);
    if (hello?.type !== "hello") return null;
    const { kind, until, version } = hello;
    const line = kind === "proxy" ? await giver.lineFor(channel) : null;
    const asker = { channel, kind, until, version, line };
    offer(asker, giver);
    const word = (await this.#hear(channel))?.type;
    return word === "go" || word === "prepare"
      ? { ...asker, isToldAhead: word === "prepare" }
      : null;
  }

  /** Waits in the background: whoever connects and says nothing must not stop everything else. */
  async #hear(channel: Channel) {
    const both = [channel.descriptor, this.#stop];
    const readable = await whichBecomesReadable(both, PATIENCE);
    if (!readable.includes(channel.descriptor)) {
      // Whoever is sent away without a word asks again, and finds the next one or nobody.
      if (readable.includes(this.#stop)) return null;
      throw new Error(`nothing was heard for ${describeDuration(PATIENCE)}`);
    }
    // Of one piece: that it has come is known, and nothing else is waited for.
    const received = channel.receive(1);
    if (typeof received === "string") return null;
    refuseOtherProtocol(received.json);
    return parseReceiverMessage(received.json);
  }
}
