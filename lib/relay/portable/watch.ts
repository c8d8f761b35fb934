import { type LettingGo, WAIT_FOR_ALL } from "../relay.ts";
import type { PortableConnection } from "./connection.ts";

/** What a {@linkcode Watch} needs of its relay. */
export interface Watched {
  /** The active connections. */
  readonly connections: () => Iterable<PortableConnection>;
  /** Where new connections go, `HOST:PORT`. */
  readonly target: () => string;
  /** Reads whatever has come by now. */
  readonly catchUp: () => Promise<void>;
  /** Takes a connection that was suspended. */
  readonly suspended: (connection: PortableConnection) => void;
}

/**
 * Knows what need not be waited for, and looks which connections have been quiet for long enough.
 *
 * Whoever says something has to be silent from then on. So nobody is due before those who are due
 * already, or the time of one silence.
 */
export class Watch {
  readonly #watched: Watched;
  /** What holds for all while the relay holds; `null` while it is open. */
  #ofAll: LettingGo | null = WAIT_FOR_ALL;
  /** What holds for connections to another service while it is open. */
  #elsewhere = WAIT_FOR_ALL;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isLooking = false;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** The relay holds. */
  hold(lettingGo: LettingGo): void {
    this.#ofAll = lettingGo;
    this.tell();
  }

  /** The relay is open. */
  open(): void {
    this.#ofAll = null;
    this.tell();
  }

  /** New connections go to another service. */
  retarget(suspendQuiet: number | null): void {
    this.#elsewhere = { suspendQuiet, closeEnded: null };
    this.tell();
  }

  /** The connections to another service than that of now. */
  get elsewhere(): PortableConnection[] {
    const target = this.#watched.target();
    return [...this.#watched.connections()].filter((one) => one.isElsewhere(target));
  }

  /** Says to connections, all or one that was just joined to a service, what is not waited for. */
  tell(connections: Iterable<PortableConnection> = this.#watched.connections()): void {
    const target = this.#watched.target();
    for (const connection of connections) {
      const whileOpen = connection.isElsewhere(target) ? this.#elsewhere : WAIT_FOR_ALL;
      connection.letGo(this.#ofAll ?? whileOpen);
    }
    this.#plan();
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isLooking) return;
    const silence = this.#silence;
    const connections = [...this.#ofAll === null ? this.elsewhere : this.#watched.connections()];
    if (!Number.isFinite(silence) || connections.length === 0) return;
    const now = performance.now();
    let due = now + silence;
    for (const { dueAt } of connections) due = Math.min(due, dueAt);
    // Not for each of many: some are looked at together.
    this.#timer = setTimeout(() => void this.#look(), Math.max(due - now, silence / 8));
  }

  /** The shortest silence that matters now, in milliseconds. */
  get #silence(): number {
    const { suspendQuiet, closeEnded } = this.#ofAll ?? this.#elsewhere;
    return Math.min(suspendQuiet ?? Infinity, closeEnded ?? Infinity);
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const due = [...this.#watched.connections()].filter(({ dueAt }) => dueAt <= now);
    this.#isLooking = true;
    // What was said by then may be unread, above all after the process stood still.
    if (due.length > 0) await this.#watched.catchUp();
    this.#isLooking = false;
    for (const connection of due) {
      if (connection.settle(now)) this.#watched.suspended(connection);
    }
    this.#plan();
  }
}
