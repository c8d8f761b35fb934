import type { Connection, Relay } from "../relay/relay.ts";
import type { OutcomeName } from "./outcomes.ts";
import type { END_CAUSES, InTheWay } from "./past_drain.ts";

/** How many may wait for a drain, so that there is room at the control socket for others. */
export const MOST_WAITERS = 32;

/** How many of the connections that a drain waits for are named at the most. */
export const MOST_BLOCKERS = 20;

/** The part of a relay that a drain needs. */
export type DrainableRelay = Pick<
  Relay,
  | "active"
  | "suspended"
  | "upstream"
  | "hold"
  | "open"
  | "connections"
  | "close"
  | "closeIdle"
  | "retarget"
>;

/** How a drain turned out. Times are in milliseconds. */
export interface Outcome {
  readonly outcome: OutcomeName;
  readonly message: string;
  readonly waited: number;
  /** How many connections it cut. */
  readonly cut: number;
  /** How many connections were still active; after a move they are another process's, and none. */
  readonly active: number;
  /** The oldest of them, at most {@linkcode MOST_BLOCKERS}. */
  readonly blockers: readonly Connection[];
}

/** Why a drain ended, as seen from inside. */
export type EndCause = typeof END_CAUSES[number];

/** What a resume did. */
export interface Resumed {
  readonly changed: boolean;
  /** It belonged to a refused drain, and changed nothing. */
  readonly absorbed: boolean;
  /** How many clients were held. */
  readonly held: number;
  /** The longest hold, in milliseconds. */
  readonly longest: number;
  readonly message: string;
}

/** The drain's part of the status. Times are milliseconds since the epoch. */
export interface DrainStatus {
  readonly state: "open" | "draining" | "drained";
  readonly owner: string | null;
  readonly reason: string | null;
  readonly since: number | null;
  readonly deadline: number | null;
  readonly leaseExpires: number | null;
}

interface Who {
  readonly owner: string | null;
  readonly reason: string | null;
  readonly active: number;
  readonly waited: number;
  readonly cut: number;
  readonly cutNames: readonly InTheWay[];
}

/** What there is to log and to count. */
export type DrainEvent =
  | { readonly type: "draining"; readonly joined: boolean } & Who
  | { readonly type: "drained"; readonly leaseEnds: number | null } & Who
  /** A drain is decided: drained, or failed in any way. */
  | { readonly type: "over" } & Outcome
  | {
    readonly type: "resumed";
    readonly cause: EndCause;
    readonly from: "draining" | "drained" | "open";
    readonly owner: string | null;
    readonly by: string | null;
    /** Of a drain that failed: how many connections were in the way, and the oldest of them. */
    readonly active: number;
    readonly inTheWay: readonly Connection[];
    readonly cut: number;
    readonly cutNames: readonly InTheWay[];
    readonly held: number;
    readonly longest: number;
  }
  | {
    readonly type: "refused" | "absorbed";
    readonly owner: string | null;
    readonly holder: string | null;
  }
  | {
    readonly type: "retargeted";
    readonly upstream: string;
    /** The service on the command line. */
    readonly commandUpstream: string;
    /** Whether an earlier process was sent there. */
    readonly restored: boolean;
  }
  /** Drained again after a restart. */
  | { readonly type: "restored"; readonly owner: string | null; readonly leaseEnds: number | null }
  /** A drain goes on that another process began. */
  | {
    readonly type: "taken_over";
    readonly state: "draining" | "drained";
    readonly owner: string | null;
  }
  /** A drain of an earlier process is over: it expired, or those who waited for it are gone. */
  | { readonly type: "abandoned"; readonly owner: string | null; readonly expired: boolean }
  | { readonly type: "record_failed"; readonly action: "write" | "remove"; readonly error: string };

/** What somebody asked of the drain and was refused. Nothing has changed. */
export class DrainRefused extends Error {
  override name = "DrainRefused";

  constructor(
    readonly code:
      | "held_by_another"
      | "record_not_written"
      /** It would have to be drained. */
      | "not_drained"
      /** There would have to be a drain. */
      | "not_draining"
      | "stopping"
      /** A keeper has the listening socket as well, and does not give it back. */
      | "parked"
      /** It goes on in another process: ask that one. */
      | "moved"
      | "no_such_waiter"
      /** Too many wait for it. */
      | "busy",
    message: string,
  ) {
    super(message);
  }
}
