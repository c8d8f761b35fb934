import type { Drain } from "../drain/drain.ts";
import type { Relay } from "../relay/relay.ts";
import type { Status } from "./api.ts";

/** What the control socket controls. */
export interface Controlled {
  readonly relay: Pick<
    Relay,
    | "active"
    | "queued"
    | "suspended"
    | "upstream"
    | "elsewhere"
    | "connections"
    | "held"
    | "close"
    | "whyUnusable"
  >;
  readonly drain: Drain;
  status(): Status;
  /** The metrics as Prometheus text, and its content type. */
  metrics(): Promise<{ text: string; contentType: string }>;
  /** Whether the upstream answers within so many milliseconds. */
  upstreamAnswers(timeout: number): Promise<boolean>;
  /**
   * Has a new process take over.
   *
   * @returns its pid
   * @throws {ApiError} saying why none has
   */
  upgrade(): Promise<number>;
}
