/**
 * The keeper: a small process that has the listening socket of a parked proxy, so that clients can
 * queue there while no proxy runs.
 *
 * As long as the proxy lives the keeper does nothing: whatever is to happen, the proxy does, and ends
 * the keeper first. Once the proxy is gone the keeper stands in for it: it answers at the control
 * socket, and gives everything to the next proxy.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { ControlSocket } from "../control/socket.ts";
import { Channel, PATIENCE } from "../handover/channel.ts";
import type { Asker, Estate, Given } from "../handover/giver.ts";
import { HandoverListener, HandoverSocket } from "../handover/listener.ts";
import { ask, commit, giveUp, take } from "../handover/receiver.ts";
import { makeEventCounter, raise } from "../linux/event_counter.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { messageOf } from "../message_of.ts";
import { socketsOf } from "../relay/epoll/listeners.ts";
import { signLock } from "../runtime_directory/lock.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { connectToPath } from "../linux/unix_socket.ts";
import { within } from "../within.ts";
import type { KeeperLog } from "./log.ts";
import { parseStandbyMessage, type StandbyMessage } from "./messages.ts";
import { answer, type Kept } from "./status.ts";
import { WaitingRoom } from "./waiting_room.ts";

/** What a keeper works with. */
export interface KeeperParts {
  /** The runtime directory of the proxy. */
  readonly directory: string;
  /** The group that may control the proxy, if there is one. */
  readonly group: number | null;
  /** When it gives up, in milliseconds since the epoch. */
  readonly until: number;
  readonly log: KeeperLog;
}

/** Why a keeper does not go on. */
type End =
  /** The proxy lives, and does not need it. */
  | "not needed"
  /** Its time is over. */
  | "time over"
  /** Somebody ended it by a signal. */
  | "stopped"
  /** A proxy has taken over. */
  | "succeeded";

/** What it answers at, once it stands in for the proxy. */
interface Sockets {
  readonly control: ControlSocket;
  readonly handover: HandoverSocket;
  /** What is told at the control socket, to be known before it appears. */
  readonly kept: PromiseWithResolvers<Kept>;
}

/** A keeper that has everything. */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #sockets: Sockets;
  readonly #channel: Channel;
  readonly #estate: Estate;
  readonly #room: WaitingRoom;
  readonly #deadline: number;
  readonly #stop = makeEventCounter();
  readonly #stopped = Promise.withResolvers<"stopped">();
  /** Resolves when those who wait are to be looked after; while a proxy takes over they are not. */
  #mayLook = Promise.withResolvers<void>();
  #isGiving = false;
  #hasSuccessor = false;

  private constructor(parts: KeeperParts, sockets: Sockets, channel: Channel, estate: Estate) {
    this.#parts = parts;
    this.#sockets = sockets;
    this.#channel = channel;
    this.#estate = estate;
    this.#room = new WaitingRoom(estate.relay);
    this.#deadline = performance.now() + parts.until - Date.now();
  }

  /**
   * Takes the socket of a drained proxy, which lives on, parked.
   *
   * @throws {Failure} when it cannot be had; then the proxy is drained as before
   */
  static async take(parts: KeeperParts): Promise<Keeper> {
    const socket = connectToPath(pathsIn(parts.directory).handover, PATIENCE);
    const channel = new Channel(socket, (message) => parts.log.write(message));
    if (channel.uid !== Deno.uid()) {
      throw new Failure(
        `Failed to park: the proxy runs as user ${channel.uid}, but ${parts.directory} belongs to ` +
          `user ${Deno.uid()}`,
      );
    }
    const offer = ask(channel, { kind: "keeper", until: parts.until });
    await using undo = new AsyncDisposableStack();
    const sockets = await makeSockets(parts, undo);
    const estate = take(channel, offer);
    if (estate.relay.connections.some(({ upstream }) => upstream !== -1)) {
      const error = new Failure("Failed to park: the proxy has active connections");
      giveUp(channel, [], error);
      throw error;
    }
    await commit(channel);
    undo.move();
    return new Keeper(parts, sockets, channel, estate);
  }

  /** How many clients wait. */
  get queued(): number {
    return this.#room.queued;
  }

  /** Ends it. */
  stop(): void {
    raise(this.#stop);
    this.#stopped.resolve("stopped");
  }

  /** Keeps the socket until somebody else has it, or nobody is to have it any more. */
  async run(): Promise<void> {
    const { log, until } = this.#parts;
    log.write(`Parked ${this.#channel.name} until ${new Date(until).toISOString()}`);
    const end = await this.#standBy() ?? await this.#standIn();
    if (end === "succeeded") return;
    const { control, handover } = this.#sockets;
    await Promise.all([control.close(), handover.name.disappear()]);
    log.write(`Ended: ${end}`);
  }

  /** Waits for as long as the proxy lives. @returns `null` when it is to be stood in for */
  async #standBy(): Promise<End | null> {
    const { log } = this.#parts;
    const channel = this.#channel;
    for (;;) {
      const left = this.#deadline - performance.now();
      if (left <= 0) return "time over";
      const both = [channel.descriptor, this.#stop];
      const readable = await whichBecomesReadable(both, Math.ceil(left));
      if (readable.includes(this.#stop)) return "stopped";
      if (!readable.includes(channel.descriptor)) continue;
      const received = channel.receive();
      if (typeof received === "string") {
        // It must be certain that nobody else accepts, or gives, from now on.
        if (!channel.outlives()) { while (!channel.kill()) await channel.waitFor(PATIENCE); }
        log.write(`The proxy is gone: ${channel.name}`);
        return null;
      }
      switch (parseStandbyMessage(received.json)?.type) {
        case "end":
          return "not needed";
        case "stand_in":
          log.write(`The proxy stops: ${channel.name}`);
          return null;
      }
    }
  }

  /** Is there instead of the proxy. */
  async #standIn(): Promise<End> {
    signLock(this.#parts.directory, "keeper");
    const { log } = this.#parts;
    const { control } = this.#sockets;
    this.#tellStatus();
    // Whoever cannot be asked how it is can still give.
    await control.appear().catch((error) => {
      log.write(`Failed to be found at the control socket: ${messageOf(error)}`);
    });
    const successor = await this.#awaitSuccessor();
    this.#channel.send<StandbyMessage>({ type: "standing_in" });
    void this.#lookAfter();
    const succeeded = successor.gone.then((): End => "succeeded");
    const end: End = await within(
      Promise.race([succeeded, this.#stopped.promise]),
      this.#deadline - performance.now(),
      () => "time over",
    );
    // Somebody may just be taking over.
    await successor.close();
    raise(this.#stop);
    if (this.#hasSuccessor) {
      await control.giveWay();
      return "succeeded";
    }
    this.#parts.log.write(`Queued clients that are reset: ${this.#room.reset()}`);
    return end;
  }

  /** Looks after those who wait, until they are somebody else's. */
  async #lookAfter(): Promise<void> {
    const descriptors = [this.#room.open(), this.#stop];
    for (;;) {
      const readable = await whichBecomesReadable(descriptors);
      if (readable.includes(this.#stop)) return;
      if (this.#isGiving) await this.#mayLook.promise;
      else this.#room.look();
    }
  }

  #tellStatus(): void {
    const { directory, until } = this.#parts;
    const { listeners } = this.#estate.relay;
    this.#sockets.kept.resolve({
      directory,
      listen: socketsOf(listeners).map(({ listen }) => listen).join(", "),
      until,
      room: this.#room,
      hasSuccessor: () => this.#hasSuccessor,
      replaced: () => this.#sockets.control.replaced(),
    });
  }

  #awaitSuccessor(): Promise<HandoverListener> {
    const { log } = this.#parts;
    const { listeners, isInherited } = this.#estate.relay;
    return HandoverListener.listen(this.#sockets.handover, {
      kind: "keeper",
      sockets: socketsOf(listeners),
      isInherited,
      lineFor: () => Promise.resolve(null),
      warn: (message) => log.write(message),
      freeze: ({ kind }: Asker) => {
        if (kind === "keeper") return Promise.reject(new Error("it is parked already"));
        this.#isGiving = true;
        return Promise.resolve({ ...this.#estate, relay: this.#room.relay });
      },
      thaw: () => {
        this.#isGiving = false;
        this.#mayLook.resolve();
        this.#mayLook = Promise.withResolvers();
        return Promise.resolve();
      },
    }, (given: Given, { channel }) => {
      this.#hasSuccessor = given.gone;
      if (given.gone) log.write(`A proxy has taken over: ${channel.name}`);
      else log.write(`No proxy has taken over from it (${channel.name}): ${given.reason}`);
    });
  }
}

/**
 * Makes the sockets while the proxy can still go on without a keeper: later, there may be no room for
 * them. @param undo gets what must be given back if this fails
 */
async function makeSockets(
  { directory, group }: KeeperParts,
  undo: AsyncDisposableStack,
): Promise<Sockets> {
  const kept = Promise.withResolvers<Kept>();
  const control = await ControlSocket.serve(
    directory,
    group,
    async (request) => answer(await kept.promise, request),
  );
  undo.defer(() => control.close());
  const handover = await HandoverSocket.bind(directory);
  undo.defer(() => handover.close());
  return { control, handover, kept };
}
