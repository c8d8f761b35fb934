/**
 * What two processes say to each other while one takes over from the other.
 *
 * ```
 * receiver                                giver
 *   hello ───────────────────────────────▶
 *         ◀─────────────────────────────── offer (or refusal)
 *   go    ───────────────────────────────▶ freezes
 *         ◀─────────────────────────────── wait …, state, connections …
 *   ready ───────────────────────────────▶
 *         ◀─────────────────────────────── commit (or abort)
 *   ack   ───────────────────────────────▶ ends
 * ```
 *
 * @module
 */

import * as v from "valibot";
import { CLOSE_REASONS } from "../relay/relay.ts";

/** The version of all this; a process that speaks another one is refused. */
export const PROTOCOL = 1;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = v.pipe(v.number(), v.finite());
/** The place of a descriptor among those that came with the message. */
const descriptor = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(252));
const bytes = v.pipe(v.string(), v.base64());
/** A proxy that runs, or a keeper of its listening socket. */
const kind = v.picklist(["proxy", "keeper"]);

const direction = v.nullable(v.strictObject({
  ended: v.boolean(),
  done: v.boolean(),
  kept: v.nullable(bytes),
  pipe: v.nullable(
    v.strictObject({ reader: descriptor, writer: descriptor, size: count, bytes: count }),
  ),
}));

const connection = v.strictObject({
  id: count,
  client: descriptor,
  upstream: v.nullable(descriptor),
  acceptedAt: time,
  lastByteAt: time,
  endedAt: v.nullable(time),
  deadline: v.nullable(time),
  bytesUp: count,
  bytesDown: count,
  up: direction,
  down: direction,
});

/** A connection in a message. */
export type PackedConnection = v.InferOutput<typeof connection>;

const closed = v.strictObject(
  Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, count])) as Record<
    typeof CLOSE_REASONS[number],
    typeof count
  >,
);

/** What the receiver says. */
const fromReceiver = v.variant("type", [
  v.strictObject({
    type: v.literal("hello"),
    protocol: v.number(),
    version: v.string(),
    /** What the receiver will be. */
    kind,
    /** Of a keeper: until when it keeps the socket, in milliseconds since the epoch. */
    until: v.nullable(time),
  }),
  v.strictObject({ type: v.literal("go") }),
  v.strictObject({ type: v.literal("ready") }),
  v.strictObject({ type: v.literal("ack") }),
  v.strictObject({ type: v.literal("abort"), reason: v.string() }),
]);

/** What the giver says. */
const fromGiver = v.variant("type", [
  v.strictObject({
    type: v.literal("offer"),
    protocol: v.number(),
    version: v.string(),
    pid: count,
    kind,
    /** Where it listens, `HOST:PORT`. */
    listen: v.string(),
    /** The cookie of the listening socket (see cookieOf). */
    cookie: v.string(),
  }),
  v.strictObject({ type: v.literal("refusal"), reason: v.string() }),
  /** It still lives, and is not ready to give yet. */
  v.strictObject({ type: v.literal("wait") }),
  /** With the listening socket and the lock. */
  v.strictObject({
    type: v.literal("state"),
    /** How many connections follow. */
    connections: count,
    isInherited: v.boolean(),
    lastId: count,
    counters: v.strictObject({
      accepted: count,
      bytesUp: count,
      bytesDown: count,
      connectFailures: count,
      closed,
    }),
    arrivals: v.array(time),
    /** Checked by the drain. */
    drain: v.unknown(),
  }),
  v.strictObject({ type: v.literal("connections"), connections: v.array(connection) }),
  v.strictObject({ type: v.literal("commit") }),
  v.strictObject({ type: v.literal("abort"), reason: v.string() }),
]);

/** What a process is that gives or receives. */
export type Kind = v.InferOutput<typeof kind>;
/** A message of the receiver. */
export type ReceiverMessage = v.InferOutput<typeof fromReceiver>;
/** A message of the giver. */
export type GiverMessage = v.InferOutput<typeof fromGiver>;
/** Any message. */
export type Message = ReceiverMessage | GiverMessage;

/**
 * Checks what the receiver sent.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parseReceiverMessage(json: unknown): ReceiverMessage {
  return parse(fromReceiver, json);
}

/**
 * Looks whether this is of another version of all this, of which nothing else is known.
 *
 * @throws {Error} when it is
 */
export function refuseOtherProtocol(json: unknown): void {
  const hello = v.safeParse(v.object({ protocol: v.number(), version: v.string() }), json);
  if (!hello.success || hello.output.protocol === PROTOCOL) return;
  throw new Error(
    `version ${hello.output.version} takes over in another way than this one gives: ` +
      "stop this one before the other is started",
  );
}

/**
 * Checks what the giver sent.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parseGiverMessage(json: unknown): GiverMessage {
  return parse(fromGiver, json);
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  json: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`Not understood: ${v.getDotPath(issue) ?? "the message"}: ${issue.message}`);
}
