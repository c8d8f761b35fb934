/**
 * The side that gives: it tells ahead of its connections, freezes, sends the rest, and is gone once
 * the other has taken it. Until then it can go on as if nothing had happened, and does so whenever
 * anything goes wrong.
 *
 * @module
 */

import {
  becomesReadable,
  becomesWritable,
  isWritable,
  whichBecomesReadable,
} from "../linux/poll.ts";
import { messageOf } from "../message_of.ts";
import type { Foundation, MovedRelay, Told } from "../relay/epoll/moved.ts";
import { VERSION } from "../version.ts";
import type { Line } from "../reaper/line.ts";
import { type Channel, PATIENCE, type Sent, SIGN_OF_LIFE } from "./channel.ts";
import {
  type GiverMessage,
  type Kind,
  type Message,
  parseReceiverMessage,
  PROTOCOL,
  type ReceiverMessage,
} from "./messages.ts";
import { pack } from "./packing.ts";
import { asTakenBy } from "./version_before.ts";

/** All that is given. */
export interface Estate {
  readonly relay: MovedRelay;
  /** The drain, as JSON. */
  readonly drain: unknown;
  /** The descriptor of the lock on the runtime directory. */
  readonly lock: number;
}

/** What is told ahead. */
export interface Ahead {
  /** What there is from the start, and how many descriptors the connections have, about. */
  readonly foundation: Foundation & { readonly descriptors: number };
  /**
   * Tells of the connections while they are served: of all, then of what has changed.
   *
   * @throws when they are served no more
   */
  copy(isFirst: boolean, tell: (told: Told) => void): Promise<void>;
  /** Nobody is told of what has changed any more. */
  forget(): void;
}

/** What there is to give. */
export interface Giver {
  readonly kind: Kind;
  /** The listening sockets, at least one: where each listens, `HOST:PORT`, and its cookie. */
  readonly sockets: readonly { readonly listen: string; readonly cookie: string }[];
  /** Whether a service manager passed them on. */
  readonly isInherited: boolean;
  /** How proxies are told of connections ahead; left out where nobody is. */
  readonly ahead?: Ahead;
  /**
   * What is to tie one that takes over to a reaper; `null` where it needs none.
   *
   * @throws {Error} when it would need one, and cannot have it
   */
  lineFor(channel: Channel): Promise<Line | null>;
  /** Touches nothing from now on. When that fails, nothing has changed. @param to the receiver */
  freeze(to: Asker): Promise<Estate>;
  /** Goes on as before. */
  thaw(): Promise<void>;
  /** Hears that the other process has to be waited for. */
  warn(message: string): void;
}

/** Who has asked for everything. */
export interface Asker
  extends Pick<Extract<ReceiverMessage, { type: "hello" }>, "kind" | "until" | "version"> {
  /** Whether it is to be told of the connections ahead. */
  readonly isToldAhead: boolean;
  /** What ties it to a reaper, if that has to be. */
  readonly line: Line | null;
  /**
   * Of a keeper that has taken everything, it stays open: who hears of it closes it. And where this
   * process becomes a reaper, until then: that it has let go of everything is seen by that.
   */
  readonly channel: Channel;
}

/** What came of an attempt to give. */
export type Given =
  /** Everything belongs to the other process now. */
  | { readonly gone: true }
  /** Nothing has changed; why. */
  | { readonly gone: false; readonly reason: string };

/**
 * Says what there is to give.
 *
 * @throws {Error} when that is nothing for who asks
 */
export function offer(
  { channel, version, line }: Omit<Asker, "isToldAhead">,
  { kind, sockets, isInherited, ahead }: Giver,
): void {
  const [{ listen, cookie } = { listen: "", cookie: "" }, ...more] = sockets;
  channel.send(asTakenBy(version, {
    type: "offer",
    protocol: PROTOCOL,
    version: VERSION,
    pid: Deno.pid,
    kind,
    listen,
    cookie,
    ...(more.length > 0 && { more }),
    ...(isInherited && { isInherited }),
    ...(ahead !== undefined && { tellsAhead: true }),
    ...(line !== null && { reaper: line.reaper }),
  }));
}

/**
 * Gives everything to who said go, or to who said prepare, once it has been told ahead.
 *
 * @param stop becomes readable when this is to end: then nothing more is told ahead
 */
export async function give(asker: Asker, giver: Giver, stop: number): Promise<Given> {
  const { channel, line } = asker;
  let estate: Estate;
  let reason: string | null;
  const alive = setInterval(() => {
    // Who does not read what there is needs no sign, and is not waited for.
    if (isWritable(channel.descriptor)) channel.send<GiverMessage>({ type: "wait" });
  }, SIGN_OF_LIFE);
  try {
    if (asker.isToldAhead && giver.ahead) await tellAhead(asker, giver.ahead, stop);
    estate = await giver.freeze(asker);
  } catch (error) {
    const reason = messageOf(error);
    giver.ahead?.forget();
    // Of one that has not been given the state it is certain that it will not go on.
    const isEnding = error instanceof Ending;
    channel.send<GiverMessage>({ type: "abort", reason, ...(isEnding && { isEnding }) });
    return { gone: false, reason };
  } finally {
    clearInterval(alive);
  }
  try {
    // Before the other process can have anything: this one may die, and that one go on.
    line?.announce(channel.pid);
    reason = await handOver(asker, estate);
  } catch (error) {
    reason = messageOf(error);
  }
  if (reason === null) return { gone: true };
  line?.announce(Deno.pid);
  // Before anything is touched here: the other side must not go on when this one is gone.
  await withdraw(channel, reason);
  await giver.thaw();
  return { gone: false, reason };
}

/** It is to end, and nothing has been frozen yet. */
class Ending extends Error {}

/** How often who takes over may be told of what has changed. */
const MOST_ROUNDS = 8;

/**
 * Tells of the connections while they are served, as often as the other side asks for it.
 *
 * @param stop becomes readable when this is to end
 * @throws {Error} when the other side does not go on
 */
async function tellAhead(asker: Asker, ahead: Ahead, stop: number): Promise<void> {
  const { channel } = asker;
  const { listeners, isInherited, expected, descriptors } = ahead.foundation;
  const begin: Message = { type: "ahead", isInherited, connections: expected, descriptors };
  let sent = Promise.resolve(channel.send(begin, listeners));
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    try {
      await ahead.copy(round === 1, (told) => {
        sent = sent.then((before) => before === "sent" ? tell(asker, told, true) : before);
      });
    } finally {
      // Whatever becomes of this, nobody uses the channel any more.
      await sent;
    }
    let outcome = await sent;
    if (outcome === "sent") outcome = channel.send<GiverMessage>({ type: "told" });
    if (outcome !== "sent") throw new Error(lost(channel, outcome));
    const { type } = await hear(channel, stop);
    if (type === "go") return;
    if (type !== "prepare") throw new Error(`the other process said ${type} instead of go`);
  }
  throw new Error(`the other process asked more than ${MOST_ROUNDS} times what has changed`);
}

/** Waits for the other side in the background. @throws {Error} when it does not go on */
async function hear(channel: Channel, stop: number): Promise<ReceiverMessage> {
  const readable = await whichBecomesReadable([channel.descriptor, stop], PATIENCE);
  if (readable.includes(stop)) throw new Ending("it stops");
  // Of one piece: nothing else is waited for.
  const reply = readable.length > 0 ? channel.receive(1) : "silent";
  if (typeof reply === "string") throw new Error(lost(channel, reply));
  const message = parseReceiverMessage(reply.json);
  if (message.type === "abort") throw new Error(`the other process gave up: ${message.reason}`);
  return message.type === "wait" ? await hear(channel, stop) : message;
}

/**
 * Tells of connections.
 *
 * @param isAhead whether everything else goes on meanwhile, and the other side is waited for in the
 *   background; once frozen, no time is to be lost
 */
async function tell({ channel, version }: Asker, told: Told, isAhead: boolean): Promise<Sent> {
  for (const { descriptors, ...batch } of pack(told)) {
    if (isAhead && !await becomesWritable(channel.descriptor, PATIENCE)) return "silent";
    const message = asTakenBy(version, { type: "connections", ...batch });
    const sent = channel.send(message, descriptors);
    if (sent !== "sent") return sent;
  }
  return "sent";
}

/**
 * Makes sure that the other side never goes on: one that does not take the message is killed; one
 * that cannot be killed gets it in the end.
 */
async function withdraw(channel: Channel, reason: string): Promise<void> {
  while (channel.send<GiverMessage>({ type: "abort", reason }) === "silent" && !channel.kill()) {
    await channel.waitFor(PATIENCE);
  }
}

/** @returns why it is still ours; `null` if it is not */
async function handOver(asker: Asker, { relay, drain, lock }: Estate): Promise<string | null> {
  const { channel, version, line } = asker;
  const { listeners: [first = -1, ...more], arrivals, isInherited, lastId, counters } = relay;
  const { connections, changed, ended } = relay;
  const state: Message = {
    type: "state",
    ...{ isInherited, lastId, counters, drain },
    arrivals: [...arrivals],
    connections: connections.length,
    changed: changed.length,
    ended: ended.length,
    descriptors: descriptorsOf(relay),
  };
  const tied = line === null ? [] : [line.writer];
  let sent = channel.send(asTakenBy(version, state), [first, lock, ...tied, ...more]);
  if (sent === "sent") sent = await tell(asker, relay, false);
  if (sent !== "sent") return lost(channel, sent);
  const reply = channel.receive();
  if (typeof reply === "string") return lost(channel, reply);
  const message = parseReceiverMessage(reply.json);
  if (message.type === "abort") return `the other process gave up: ${message.reason}`;
  if (message.type !== "ready") return `the other process said ${message.type} instead of ready`;
  const committed = channel.send<GiverMessage>({ type: "commit" });
  return committed === "sent" ? await awaitAcknowledgement(channel) : lost(channel, committed);
}

/** How many descriptors come with what is told. */
function descriptorsOf({ connections, changed }: Told): number {
  let count = 0;
  for (const { upstream } of connections) count += upstream === -1 ? 1 : 2;
  for (const { up, down } of [...connections, ...changed]) {
    for (const direction of [up, down]) if (direction?.pipe) count += 2;
  }
  return count;
}

/** @returns what happened to it */
function lost(channel: Channel, how: "gone" | "silent"): string {
  if (how === "gone") return "the other process went away";
  const isDead = channel.kill();
  return `the other process did not answer${isDead ? ", and was killed" : ""}`;
}

/** From here on the other side may have begun to serve: that it has not must be certain. */
async function awaitAcknowledgement(channel: Channel): Promise<string | null> {
  try {
    const reply = channel.receive();
    if (typeof reply === "object") return null;
    if (reply === "gone") return "the other process died before it could go on";
    // Not for one who has just woken up.
    if (becomesReadable(channel.descriptor, 0)) return await awaitAcknowledgement(channel);
    if (!channel.kill()) {
      // It may still go on, or have ended without that.
      await channel.waitFor();
      return await awaitAcknowledgement(channel);
    }
    return typeof channel.receive() === "object" ? null : lost(channel, reply);
  } catch {
    // Whatever it said, it has said something.
    return null;
  }
}
