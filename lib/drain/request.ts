/**
 * What can be asked of a drain.
 *
 * @module
 */

import * as v from "valibot";
import { parseDuration, parseQuiet } from "../duration.ts";
import { parsed, shown } from "../text_fields.ts";

const duration = parsed(parseDuration);

/** Who drains or resumes. */
export const owner = shown(1, 200, "1 to 200 characters");

/** A request for a drain, as it is written; durations are texts in it. */
export const drainRequest = v.pipe(
  v.strictObject({
    owner,
    reason: v.optional(v.nullable(shown(0, 1000, "at most 1000 characters")), null),
    /** How long it may take to become drained. */
    timeout: v.optional(duration, "60s"),
    /** How long it may then stay drained. */
    lease: v.optional(duration, "1h"),
    /** Refuse to share the drain, even with the same owner. */
    exclusive: v.optional(v.boolean(), false),
    /** Of an exclusive one: take the owner's own drain over, unless that is exclusive itself. */
    takeOver: v.optional(v.boolean(), false),
    /** Whether somebody waits; the drain is cancelled when the last one has gone away. */
    wait: v.optional(v.boolean(), true),
    /** Whether it ends with the one who waits, even once it is drained; only if it is exclusive. */
    attached: v.optional(v.boolean(), false),
    /** Cut connections without a byte for that long; `none` cuts none. */
    closeIdle: v.optional(duration, "none"),
    /** Cut what is left at the deadline, instead of failing. */
    closeRemaining: v.optional(v.boolean(), false),
    /**
     * Let go of the service of connections that have been quiet for that long; left out, it is as the
     * proxy was told at its start.
     */
    suspendQuiet: v.optional(parsed(parseQuiet)),
    /**
     * Call a connection over whose service has ended its direction once its client has said nothing
     * for that long; left out, it is a second.
     */
    closeEnded: v.optional(duration),
    /** Whether it is drained only once somebody has said that the service lets its clients go. */
    release: v.optional(v.boolean(), false),
    /** Only tell what would be done. */
    dryRun: v.optional(v.boolean(), false),
  }),
  v.check(
    ({ attached, exclusive, wait }) => !attached || (exclusive && wait),
    "an attached drain must be exclusive, and waited for",
  ),
  v.check(
    ({ release, wait }) => !release || wait,
    "a drain with release must be waited for",
  ),
  v.check(
    ({ closeRemaining, timeout }) => !closeRemaining || timeout !== null,
    "closeRemaining needs a timeout: it is then that connections are closed",
  ),
);

/** What somebody asks for who drains. Durations are in milliseconds, `null` is no limit. */
export type DrainRequest = Readonly<Omit<v.InferOutput<typeof drainRequest>, "dryRun">>;

/** The body of `POST /v1/drain` as a client writes it. */
export type DrainBody = v.InferInput<typeof drainRequest>;
