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

import { formatAddress } from "../address.ts";
import { Failure } from "../command_line.ts";
import { ControlSocket } from "../control/socket.ts";
import { Channel, PATIENCE } from "../handover/channel.ts";
import type { Estate, Given } from "../handover/giver.ts";
import { HandoverListener, HandoverSocket } from "../handover/listener.ts";
import type { Kind } from "../handover/messages.ts";
import { ask, commit, giveUp, take } from "../handover/receiver.ts";
import { makeEventCounter, raise } from "../linux/event_counter.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { cookieOf, localAddress } from "../linux/socket.ts";
import { queueOf } from "../linux/tcp_info.ts";
import { pathsIn, signLock } from "../runtime_directory.ts";
import { connectToPath } from "../linux/unix_socket.ts";
import type { KeeperLog } from "./log.ts";
import { parseStandbyMessage } from "./messages.ts";
import { answer, type Kept } from "./status.ts";

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
  readonly #deadline: number;
  readonly #stop = makeEventCounter();
  readonly #stopped = Promise.withResolvers<"stopped">();
  #hasSuccessor = false;

  private constructor(parts: KeeperParts, sockets: Sockets, channel: Channel, estate: Estate) {
    this.#parts = parts;
    this.#sockets = sockets;
    this.#channel = channel;
    this.#estate = estate;
    this.#deadline = performance.now() + parts.until - Date.now();
  }

  /**
   * Takes the socket of a drained proxy, which lives on, parked.
   *
   * @throws {Failure} when it cannot be had; then the proxy is drained as before
   */
  static async take(parts: KeeperParts): Promise<Keeper> {
    const channel = new Channel(connectToPath(pathsIn(parts.directory).handover, PATIENCE));
    if (channel.uid !== Deno.uid()) {
      throw new Failure(
        `Failed to park: the proxy runs as user ${channel.uid}, but ${parts.directory} belongs to ` +
          `user ${Deno.uid()}`,
      );
    }
    ask(channel, { kind: "keeper", until: parts.until });
    await using undo = new AsyncDisposableStack();
    const sockets = await makeSockets(parts, undo);
    const estate = take(channel);
    if (estate.relay.connections.length > 0) {
      const error = new Failure("Failed to park: the proxy has active connections");
      giveUp(channel, [], error);
      throw error;
    }
    commit(channel);
    undo.move();
    return new Keeper(parts, sockets, channel, estate);
  }

  /** How many clients wait. */
  get queued(): number {
    return queueOf(this.#estate.relay.listener).length;
  }

  /** Ends it. */
  stop(): void {
    raise(this.#stop);
    this.#stopped.resolve("stopped");
  }

  /** Keeps the socket until somebody else has it, or nobody is to have it any more. */
  async run(): Promise<void> {
    const { log, until } = this.#parts;
    log.write(`Parked process ${this.#channel.pid} until ${new Date(until).toISOString()}`);
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
        if (!channel.outlives()) channel.kill();
        log.write(`The proxy with process ${channel.pid} is gone`);
        return null;
      }
      switch (parseStandbyMessage(received.json)?.type) {
        case "end":
          return "not needed";
        case "stand_in":
          log.write(`The proxy with process ${channel.pid} stops`);
          return null;
      }
    }
  }

  /** Is there instead of the proxy. */
  async #standIn(): Promise<End> {
    await signLock(this.#parts.directory, "keeper");
    const { control } = this.#sockets;
    this.#tellStatus();
    await control.appear();
    const successor = await this.#awaitSuccessor();
    this.#channel.send({ type: "standing_in" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<End>((resolve) => {
      timer = setTimeout(() => resolve("time over"), this.#deadline - performance.now());
    });
    const succeeded = successor.gone.then((): End => "succeeded");
    const end = await Promise.race([succeeded, over, this.#stopped.promise]);
    clearTimeout(timer);
    // Somebody may just be taking over.
    await successor.close();
    if (this.#hasSuccessor) {
      await control.giveWay();
      return "succeeded";
    }
    // Whoever passed the socket on keeps those who are queued.
    const reset = this.#estate.relay.isInherited ? 0 : this.queued;
    this.#parts.log.write(`Queued clients that are reset: ${reset}`);
    return end;
  }

  #tellStatus(): void {
    const { directory, until } = this.#parts;
    const { listener, counters } = this.#estate.relay;
    this.#sockets.kept.resolve({
      directory,
      listen: formatAddress(localAddress(listener)),
      until,
      counters,
      queued: () => this.queued,
      hasSuccessor: () => this.#hasSuccessor,
    });
  }

  #awaitSuccessor(): Promise<HandoverListener> {
    const { log } = this.#parts;
    const { listener } = this.#estate.relay;
    return HandoverListener.listen(this.#sockets.handover, {
      kind: "keeper",
      listen: formatAddress(localAddress(listener)),
      cookie: cookieOf(listener),
      freeze: (to: Kind) => {
        if (to === "keeper") return Promise.reject(new Error("it is parked already"));
        return Promise.resolve(this.#estate);
      },
      thaw: () => Promise.resolve(),
    }, (given: Given, { channel }) => {
      this.#hasSuccessor = given.gone;
      if (given.gone) log.write(`Process ${channel.pid} has taken over`);
      else log.write(`Process ${channel.pid} did not take over: ${given.reason}`);
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
