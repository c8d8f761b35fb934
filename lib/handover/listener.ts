/**
 * The socket at which a process waits for somebody who takes over from it.
 *
 * @module
 */

import { libc } from "../linux/libc.ts";
import { makeEventCounter, raise } from "../linux/event_counter.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { acceptAt, listenAtPath } from "../linux/unix_socket.ts";
import { messageOf } from "../message_of.ts";
import { pathsIn } from "../runtime_directory.ts";
import { Channel, PATIENCE } from "./channel.ts";
import { give, type Given, type Giver, offer } from "./giver.ts";
import { rehearse } from "./rehearsal.ts";
import { type Kind, parseReceiverMessage, PROTOCOL, type ReceiverMessage } from "./messages.ts";

/** Who has asked for everything. */
export interface Asker extends Pick<Hello, "kind" | "until"> {
  /** Of a keeper that has taken everything, it stays open: who hears of it closes it. */
  readonly channel: Channel;
}

type Hello = Extract<ReceiverMessage, { type: "hello" }>;
type Told = (given: Given, asker: Asker) => void;

/** How many may be heard at the same time. */
const MOST_ATTEMPTS = 8;

/** Waits for a successor. */
export class HandoverListener {
  readonly #path: string;
  readonly #listener: number;
  readonly #inode: number | null;
  readonly #stop = makeEventCounter();
  readonly #stopped: Promise<void>;
  readonly #gone = Promise.withResolvers<void>();
  #isGone = false;
  /** Who is being given everything just now. */
  #taker: number | null = null;
  #closed: Promise<void> | null = null;

  private constructor(
    path: string,
    listener: number,
    inode: number | null,
    giver: Giver,
    told: Told,
  ) {
    this.#path = path;
    this.#listener = listener;
    this.#inode = inode;
    this.#stopped = this.#serve(giver, told);
  }

  /**
   * Listens, for our own user and for root.
   *
   * @param told hears what came of each attempt to take over, and by whom
   */
  static async listen(
    directory: string,
    giver: Giver,
    told: Told,
  ): Promise<HandoverListener> {
    const path = pathsIn(directory).handover;
    const temporary = `${path}.new`;
    await Deno.remove(temporary).catch(() => {});
    const listener = listenAtPath(temporary);
    await Deno.chmod(temporary, 0o600);
    await Deno.rename(temporary, path);
    const { ino } = await Deno.lstat(path);
    return new HandoverListener(path, listener, ino, giver, told);
  }

  /** Resolves when another process has taken everything. */
  get gone(): Promise<void> {
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
    raise(this.#stop);
    await this.#stopped;
  }

  /** Stops, and removes the socket if it is still the one that was bound. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.stop();
    // A successor puts its own in this place, perhaps just now.
    const info = this.#isGone ? null : await Deno.lstat(this.#path).catch(() => null);
    if (info?.ino === this.#inode) await Deno.remove(this.#path).catch(() => {});
    libc.close(this.#listener);
    libc.close(this.#stop);
  }

  async #serve(giver: Giver, told: Told): Promise<void> {
    const attempts = new Set<Promise<void>>();
    for (;;) {
      const readable = await whichBecomesReadable([this.#listener, this.#stop]);
      if (readable.includes(this.#stop)) break;
      if (!readable.includes(this.#listener)) continue;
      // One that connects and says nothing must not keep another one away.
      const attempt = this.#attempt(giver, told).finally(() => attempts.delete(attempt));
      attempts.add(attempt);
      if (attempts.size === MOST_ATTEMPTS) await Promise.race(attempts);
    }
    await Promise.all(attempts);
  }

  async #attempt(giver: Giver, told: Told): Promise<void> {
    const socket = acceptAt(this.#listener);
    let channel: Channel;
    try {
      channel = new Channel(socket);
    } catch {
      // It was gone before it could be looked at.
      libc.close(socket);
      return;
    }
    using open = new DisposableStack();
    open.use(channel);
    try {
      const asker = await this.#agree(channel, giver);
      if (asker === null) return;
      const { kind, until } = asker;
      const given = await this.#giveTo(channel, giver, kind);
      if (given.gone && kind === "keeper") open.move();
      told(given, { channel, kind, until });
      if (given.gone && kind === "proxy") this.#end();
    } catch (error) {
      channel.send({ type: "refusal", reason: messageOf(error) });
    }
  }

  async #giveTo(channel: Channel, giver: Giver, kind: Kind): Promise<Given> {
    if (this.#taker !== null) throw new Error(`process ${this.#taker} takes over already`);
    this.#taker = channel.pid;
    const given = await give(channel, giver, kind);
    if (!given.gone || kind === "keeper") this.#taker = null;
    return given;
  }

  #end(): void {
    this.#isGone = true;
    this.#gone.resolve();
    raise(this.#stop);
  }

  /** Finds out whether somebody wants everything, and may have it. @returns `null` if not */
  async #agree(channel: Channel, giver: Giver): Promise<Hello | null> {
    if (channel.uid !== Deno.uid() && channel.uid !== 0) {
      channel.send({ type: "refusal", reason: `user ${channel.uid} may not take over` });
      return null;
    }
    const hello = await this.#hear(channel);
    if (hello?.type !== "hello") return null;
    if (hello.protocol !== PROTOCOL) {
      const reason = `version ${hello.version} hands over in another way than this one`;
      channel.send({ type: "refusal", reason });
      return null;
    }
    rehearse();
    offer(channel, giver);
    return (await this.#hear(channel))?.type === "go" ? hello : null;
  }

  /** Waits in the background: whoever connects and says nothing must not stop everything else. */
  async #hear(channel: Channel) {
    const both = [channel.descriptor, this.#stop];
    const readable = await whichBecomesReadable(both, PATIENCE);
    if (!readable.includes(channel.descriptor)) return null;
    // Of one piece: that it has come is known, and nothing else is waited for.
    const received = channel.receive(1);
    return typeof received === "string" ? null : parseReceiverMessage(received.json);
  }
}
