import type { Attempt } from "./connector.ts";
import { Direction } from "./direction.ts";
import type { MovedConnection } from "./moved.ts";
import type { Pipes } from "./pipes.ts";

/** A connection, as the thread that serves it knows it; what others may know is in its row. */
export class Connection {
  /** The client's socket; -1 while the row is free. */
  client = -1;
  /** The service's socket; -1 while there is none. */
  upstream = -1;
  readonly up = new Direction(this);
  readonly down = new Direction(this);
  /** While it is not connected yet; `null` from then on. */
  attempt: Attempt | null = null;
  /** When the first of the two directions ended. */
  endedAt = Infinity;
  /** In which turn of the loop its sockets came to be: events of that turn are not theirs. */
  clientTurn = 0;
  upstreamTurn = 0;
  /** Whether the service's socket has all its options: those that matter only after a while. */
  isWatched = false;

  /** @param row its row in the table, for good: both are used again and again */
  constructor(readonly row: number) {}

  /** Starts anew, with a client that has just been accepted. */
  begin(client: number, turn: number): void {
    this.client = client;
    this.clientTurn = turn;
    this.upstream = -1;
    this.endedAt = Infinity;
    this.isWatched = false;
    this.up.begin(client, -1, true);
  }

  /** The service's socket is connected: starts to carry bytes. */
  join(): void {
    this.attempt = null;
    // The client may have said something by now.
    this.up.sink = this.upstream;
    this.down.begin(this.upstream, this.client, false);
  }

  /** Goes on where another process has left off. */
  restore(moved: MovedConnection): void {
    this.begin(moved.client, 0);
    this.upstream = moved.upstream;
    if (moved.upstream === -1) return;
    this.join();
    this.endedAt = moved.endedAt ?? Infinity;
    this.up.restore(moved.up);
    this.down.restore(moved.down);
  }

  /** Ends it, with all that has been read and not been written. */
  end(pipes: Pipes): void {
    this.client = -1;
    this.upstream = -1;
    this.attempt = null;
    this.up.drop(pipes);
    this.down.drop(pipes);
  }
}
