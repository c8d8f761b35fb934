/**
 * What two processes say to each other while one takes over from the other.
 *
 * ```
 * receiver                                giver
 *   hello   ─────────────────────────────▶
 *           ◀───────────────────────────── offer (or refusal)
 *   prepare ─────────────────────────────▶ goes on serving
 *           ◀───────────────────────────── wait …, ahead, connections …, told
 *   prepare ─────────────────────────────▶
 *           ◀───────────────────────────── connections …, told
 *   go      ─────────────────────────────▶ freezes
 *           ◀───────────────────────────── wait …, state, connections …
 *   ready   ─────────────────────────────▶
 *           ◀───────────────────────────── commit (or abort)
 *   ack     ─────────────────────────────▶ ends
 * ```
 *
 * What is told after the first `prepare` is all connections, and after the next, and after `go`, what
 * is not as it was told before. Who was offered nothing ahead does not say `prepare`, and is told
 * everything after `go`.
 *
 * @module
 */

import * as v from "valibot";
import { bytesOfIp } from "../ip.ts";
import { CLIENT, NOBODY, SERVICE, TIES } from "../relay/conversation.ts";
import { CLOSE_REASONS } from "../relay/relay.ts";
import { validated } from "../validated.ts";

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

const endpoint = v.strictObject({
  host: v.pipe(v.string(), v.check((host) => bytesOfIp(host) !== null && !host.includes("%"))),
  port: v.pipe(count, v.maxValue(65535)),
});

const connection = v.strictObject({
  id: count,
  client: descriptor,
  upstream: v.nullable(descriptor),
  acceptedAt: time,
  lastByteAt: time,
  /** Missing in what versions send that hold in the queue only. */
  heldSince: v.optional(v.nullable(time), null),
  /** Missing in what versions send that suspend nobody, and keep no account of who spoke. */
  wasServed: v.optional(v.boolean(), false),
  target: v.optional(v.nullable(v.string()), null),
  talk: v.optional(v.strictObject({
    turn: v.picklist([NOBODY, CLIENT, SERVICE]),
    longestUnasked: v.pipe(v.number(), v.minValue(0)),
    tie: v.nullable(v.picklist(TIES)),
    first: count,
    known: count,
  })),
  /** Missing where no header of the PROXY protocol was taken. */
  header: v.optional(v.nullable(v.strictObject({ source: endpoint, destination: endpoint }))),
  endedAt: v.nullable(time),
  /** What versions send that let a client wait no longer because of a move; not looked at. */
  deadline: v.optional(v.nullable(time)),
  bytesUp: count,
  bytesDown: count,
  up: direction,
  down: direction,
  failed: v.optional(v.strictObject({
    isClient: v.boolean(),
    isSpent: v.boolean(),
    sinkError: count,
  })),
});

/** A connection in a message. */
export type PackedConnection = v.InferOutput<typeof connection>;

/** As {@linkcode connection}, of one that was told before, with the same sockets. */
const changed = v.omit(connection, ["client", "upstream"]);

/** A change of a connection in a message. */
export type PackedChange = v.InferOutput<typeof changed>;

const closed = v.strictObject(
  // Versions before do not know all of them.
  Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, v.optional(count, 0)])) as Record<
    typeof CLOSE_REASONS[number],
    v.OptionalSchema<typeof count, 0>
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
  v.strictObject({ type: v.literal("prepare") }),
  v.strictObject({ type: v.literal("go") }),
  /** It still lives, and has not taken yet what it was told ahead. */
  v.strictObject({ type: v.literal("wait") }),
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
    /** Further listening sockets, of which an older version had none. */
    more: v.optional(v.array(v.strictObject({ listen: v.string(), cookie: v.string() })), []),
    /** Whether a service manager passed them on; of an older version that is not known. */
    isInherited: v.optional(v.boolean(), false),
    /** Whether it tells of its connections while it goes on serving them; older versions do not. */
    tellsAhead: v.optional(v.boolean(), false),
    /** The process that waits for whoever takes over, if there has to be one (see Line). */
    reaper: v.optional(count),
  }),
  v.strictObject({ type: v.literal("refusal"), reason: v.string() }),
  /** It still lives, and is not ready to give yet. */
  v.strictObject({ type: v.literal("wait") }),
  /** With the listening sockets. */
  v.strictObject({
    type: v.literal("ahead"),
    isInherited: v.boolean(),
    /** How many connections there are, about, and how many descriptors these have. */
    connections: count,
    descriptors: count,
  }),
  /** That is all for now. */
  v.strictObject({ type: v.literal("told") }),
  /** With the listening socket, the lock, if there is a reaper the line, and further listening sockets. */
  v.strictObject({
    type: v.literal("state"),
    /** How many connections follow, and how many that have changed, or are over. */
    connections: count,
    changed: v.optional(count, 0),
    ended: v.optional(count, 0),
    /** How many descriptors these have; missing in what an older version sends. */
    descriptors: v.optional(count, 0),
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
  v.strictObject({
    type: v.literal("connections"),
    /** The ids of those that were told before, and are over, or have other sockets by now. */
    ended: v.optional(v.array(count), []),
    connections: v.array(connection),
    changed: v.optional(v.array(changed), []),
  }),
  v.strictObject({ type: v.literal("commit") }),
  v.strictObject({
    type: v.literal("abort"),
    reason: v.string(),
    /** Whether it is about to end: who asks again finds another, or nobody. */
    isEnding: v.optional(v.boolean()),
  }),
]);

/** What a process is that gives or receives. */
export type Kind = v.InferOutput<typeof kind>;
/** A message of the receiver. */
export type ReceiverMessage = v.InferOutput<typeof fromReceiver>;
/** A message of the giver. */
export type GiverMessage = v.InferOutput<typeof fromGiver>;
/** Any message. */
export type Message = v.InferInput<typeof fromReceiver> | v.InferInput<typeof fromGiver>;

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
  return validated(schema, json, "Not understood: ", "the message");
}
