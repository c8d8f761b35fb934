import { type Liveness, watchPeer } from "../../linux/socket.ts";
import { Conversation, NOBODY, SERVICE } from "../conversation.ts";
import type { Endpoints } from "../proxy_protocol.ts";
import type { CloseReason } from "../relay.ts";
import { Direction } from "./direction.ts";
import type { Arrived } from "./moved.ts";
import type { Pipes } from "./pipes.ts";

/** What an attempt to connect has come to so far. */
export interface Attempt {
  /** Until when to try, on the clock. */
  deadline: number;
  /** When to go on, on the clock, unless an answer comes before that. */
  due: number;
  /** The pause before the next round over all addresses, in milliseconds. */
  pause: number;
  /** The addresses of this round, which one of them comes first, and how many have been tried. */
  addresses: readonly Uint8Array<ArrayBuffer>[];
  first: number;
  tried: number;
  /** The number of the last error. */
  error: number;
  /** The number of an error of this round that says that the system lacks something; 0 if none does. */
  lack: number;
}

/** The side of a connection that has failed. */
export interface FailedSide {
  readonly reason: CloseReason;
  /** The direction of what that side has said, and the one to it. */
  readonly from: Direction;
  readonly to: Direction;
  /** Whether an end that is read now was one, and not only the reset once more. */
  readonly endIsClean: boolean;
  /** Whether everything that it had said has been passed on. */
  isSpent: boolean;
  /** How much the other side had not acknowledged when it was looked, and when there was less. */
  left: number;
  lessAt: number;
  pause: number;
}

/** How an exchange goes on while the connection is to be let go: as always; */
export const FREE = 0;
/** the service's answer waits until the client has been silent; */
export const KEPT_BACK = 1;
/** the answer is passed on, and what the client says from now on waits for whoever serves it next. */
export const WITHHELD = 2;
/** the two speak at the same time: as always, until both have been silent. */
export const OVERLAPPING = 3;

/** A connection, as the thread that serves it knows it; what others may know is in its row. */
export class Connection {
  /** The client's socket; -1 while the row is free. */
  client = -1;
  /** The service's socket; -1 while there is none. */
  upstream = -1;
  readonly up: Direction;
  readonly down: Direction;
  /** While it is not connected yet; `null` from then on. */
  attempt: Attempt | null = null;
  /** Since when it is held, on the clock; `null` while it is active. */
  heldSince: number | null = null;
  /** Whether it was served before it was held. */
  wasServed = false;
  /** Whether it begins with a header of the PROXY protocol, which is still to be taken. */
  awaitsHeader = false;
  /** What that said, `null` for nothing; `undefined` as long as none was taken. */
  header: Endpoints | null | undefined = undefined;
  /** Whether it is held for nothing but its header: it came while others were served. */
  isNewcomer = false;
  /** Who spoke, and how. */
  readonly talk = new Conversation();
  /** How its exchange goes on: {@linkcode FREE} and so on. */
  exchange = FREE;
  /** Since when its service's answer has been kept back, on the clock. */
  keptBackSince = Infinity;
  /** Which target it was connected for. */
  target = 0;
  /** Whether it was held, and counts as one of those on their way to the service. */
  isOnItsWay = false;
  /** When it was connected to the service, on the clock. */
  joinedAt = Infinity;
  /** Whether another process has, or had, copies of its sockets. */
  isShared = false;
  /** How often its socket to the service has changed. */
  changes = 0;
  /** Once one of its sides has failed. */
  failure: FailedSide | null = null;
  /** When the first of the two directions ended. */
  endedAt = Infinity;
  /** In which turn of the loop its sockets came to be: events of that turn are not theirs. */
  clientTurn = 0;
  upstreamTurn = 0;
  #isClientWatched = false;
  #isServiceWatched = false;

  /** @param row its row in the table, for good: both are used again and again */
  constructor(readonly row: number) {
    this.up = new Direction(row);
    this.down = new Direction(row);
  }

  /** Whether an answer waits here for its client: then it is not idle, though no byte moves. */
  get hasAnswer(): boolean {
    return this.exchange === KEPT_BACK;
  }

  /** Starts anew, with a client that has just been accepted. */
  begin(client: number, turn: number): void {
    this.client = client;
    this.clientTurn = turn;
    this.upstream = -1;
    this.failure = null;
    this.endedAt = Infinity;
    this.#isClientWatched = this.#isServiceWatched = false;
    this.wasServed =
      this.awaitsHeader =
      this.isNewcomer =
      this.isShared =
        false;
    this.header = undefined;
    this.talk.begin();
    this.#begin();
  }

  #begin(): void {
    this.exchange = FREE;
    this.up.begin(this.client, -1, true);
    this.up.looks = this.talk.looksAtClient;
  }

  /**
   * The service's socket is connected: starts to carry bytes.
   *
   * @param target for which one
   * @param header what the service is told before anything else; `null` for nothing
   */
  join(target: number, header: Uint8Array<ArrayBuffer> | null): void {
    this.attempt = null;
    this.changes++;
    this.target = target;
    // The client may have said something by now.
    this.up.sink = this.upstream;
    if (header !== null) this.up.sendFirst(header);
    this.down.begin(this.upstream, this.client, false);
    this.down.looks = true;
  }

  /** Notices when the client is gone: from once it has been here for a while. */
  watchClient(liveness: Liveness): void {
    if (!this.#isClientWatched) watchPeer(this.client, liveness);
    this.#isClientWatched = true;
  }

  /** As {@linkcode watchClient}, of the service. */
  watchService(liveness: Liveness): void {
    if (!this.#isServiceWatched) watchPeer(this.upstream, liveness);
    this.#isServiceWatched = true;
  }

  /** The service's socket is closed: its client waits for another. */
  leaveService(pipes: Pipes): void {
    this.down.end(pipes);
    this.upstream = -1;
    this.changes++;
    this.#isServiceWatched = false;
    this.wasServed ||= this.talk.turn !== NOBODY;
    this.talk.changeService();
    this.#begin();
    // Whatever it has sent by now is of no event that is still to come.
    this.up.readable = this.up.thorough = true;
  }

  /** Goes on where another process has left off. */
  restore(moved: Arrived): void {
    this.begin(moved.client, 0);
    this.isShared = true;
    this.upstream = moved.upstream;
    this.wasServed = moved.wasServed;
    this.header = moved.header;
    // One that was never served has said nothing yet, whoever had it.
    if (moved.talk !== undefined || moved.upstream !== -1) this.talk.restore(moved.talk);
    this.up.looks = this.talk.looksAtClient;
    if (moved.upstream === -1) return;
    this.join(moved.target, null);
    this.down.looks = this.talk.turn !== SERVICE;
    this.endedAt = moved.endedAt ?? Infinity;
    this.up.restore(moved.up);
    this.down.restore(moved.down);
  }

  /** Ends it, with all that has been read and not been written. */
  end(pipes: Pipes): void {
    this.client = -1;
    this.upstream = -1;
    this.attempt = null;
    this.heldSince = null;
    this.isOnItsWay = false;
    this.joinedAt = Infinity;
    this.failure = null;
    this.up.end(pipes);
    this.down.end(pipes);
  }
}
