import type { Duration } from "../duration.ts";
import type { Connection } from "../relay/relay.ts";

/** What somebody asks for who drains. Durations are in milliseconds, `null` is no limit. */
export interface DrainRequest {
  readonly owner: string;
  readonly reason: string | null;
  /** How long it may take to become drained. */
  readonly timeout: Duration;
  /** How long it may then stay drained. */
  readonly lease: Duration;
  /** Refuse to share the drain, even with the same owner. */
  readonly exclusive: boolean;
  /** Whether somebody waits; the drain is cancelled when the last one has gone away. */
  readonly wait: boolean;
  /** Whether it ends with the one who waits, even once it is drained; only if it is exclusive. */
  readonly attached: boolean;
  /** Cut connections without a byte for that long; `null` cuts none. */
  readonly closeIdle: Duration;
  /** Cut what is left at the deadline, instead of failing. */
  readonly closeRemaining: boolean;
}

/** Every way in which a drain can turn out for those who wait; `moved`: it goes on elsewhere. */
export const OUTCOMES = [
  "drained",
  "deadline",
  "cancelled",
  "refused",
  "ended",
  "stopped",
  "moved",
] as const;

/** How a drain turned out. Times are in milliseconds. */
export interface Outcome {
  readonly outcome: typeof OUTCOMES[number];
  readonly message: string;
  readonly waited: number;
  /** How many connections it cut. */
  readonly cut: number;
  /** The connections that were still active. */
  readonly blockers: readonly Connection[];
}

/** Why a drain ended, as seen from inside. */
export type EndCause = "resumed" | "forced" | "deadline" | "cancelled" | "lease" | "record";

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
    readonly cut: number;
    readonly held: number;
    readonly longest: number;
  }
  | {
    readonly type: "refused" | "absorbed";
    readonly owner: string | null;
    readonly holder: string | null;
  }
  | { readonly type: "retargeted"; readonly upstream: string; readonly restored: boolean }
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
      | "stopping"
      /** It goes on in another process: ask that one. */
      | "moved"
      | "no_such_waiter",
    message: string,
  ) {
    super(message);
  }
}
