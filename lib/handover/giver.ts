/**
 * The side that gives: it freezes, sends everything, and is gone once the other has taken it. Until
 * then it can go on as if nothing had happened, and does so whenever anything goes wrong.
 *
 * @module
 */

import { becomesReadable } from "../linux/poll.ts";
import { messageOf } from "../message_of.ts";
import type { MovedRelay } from "../relay/epoll/moved.ts";
import { VERSION } from "../version.ts";
import type { Line } from "../reaper/line.ts";
import { type Channel, PATIENCE } from "./channel.ts";
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

/** What there is to give. */
export interface Giver {
  readonly kind: Kind;
  /** The listening sockets, at least one: where each listens, `HOST:PORT`, and its cookie. */
  readonly sockets: readonly { readonly listen: string; readonly cookie: string }[];
  /** Whether a service manager passed them on. */
  readonly isInherited: boolean;
  /**
   * What is to tie one that takes over to a reaper; `null` where it needs none.
   *
   * @throws {Error} when it would need one, and cannot have it
   */
  lineFor(channel: Channel): Promise<Line | null>;
  /**
   * Touches nothing from now on. When that fails, nothing has changed.
   *
   * @param to what the receiver is
   * @param channel to the receiver
   */
  freeze(to: Kind, channel: Channel): Promise<Estate>;
  /** Goes on as before. */
  thaw(): Promise<void>;
  /** Hears that the other process has to be waited for. */
  warn(message: string): void;
}

/** Who has asked for everything. */
export interface Asker
  extends Pick<Extract<ReceiverMessage, { type: "hello" }>, "kind" | "until" | "version"> {
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

/** How often it says that it still lives, while it is not ready to give, in milliseconds. */
const SIGN_OF_LIFE = 1000;

/**
 * Says what there is to give.
 *
 * @throws {Error} when that is nothing for who asks
 */
export function offer(
  { channel, version, line }: Asker,
  { kind, sockets, isInherited }: Giver,
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
    ...(line !== null && { reaper: line.reaper }),
  }));
}

/** Gives everything to who said go. */
export async function give(asker: Asker, giver: Giver): Promise<Given> {
  const { channel, kind, line } = asker;
  let estate: Estate;
  const alive = setInterval(() => channel.send<GiverMessage>({ type: "wait" }), SIGN_OF_LIFE);
  try {
    estate = await giver.freeze(kind, channel);
  } catch (error) {
    const reason = messageOf(error);
    await withdraw(channel, reason);
    return { gone: false, reason };
  } finally {
    clearInterval(alive);
  }
  let reason: string | null;
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
async function handOver(
  { channel, version, line }: Asker,
  { relay, drain, lock }: Estate,
): Promise<string | null> {
  const { listeners: [first = -1, ...more], connections, arrivals, ...same } = relay;
  const batches = [...pack(connections)];
  const say = (message: Message, descriptors: readonly number[]) =>
    channel.send(asTakenBy(version, message), descriptors);
  const state: Message = {
    type: "state",
    ...same,
    arrivals: [...arrivals],
    connections: connections.length,
    descriptors: batches.reduce((sum, { descriptors }) => sum + descriptors.length, 0),
    drain,
  };
  const tied = line === null ? [] : [line.writer];
  let sent = say(state, [first, lock, ...tied, ...more]);
  for (const { connections: some, descriptors } of batches) {
    if (sent !== "sent") break;
    sent = say({ type: "connections", connections: some }, descriptors);
  }
  if (sent !== "sent") return lost(channel, sent);
  const reply = channel.receive();
  if (typeof reply === "string") return lost(channel, reply);
  const message = parseReceiverMessage(reply.json);
  if (message.type === "abort") return `the other process gave up: ${message.reason}`;
  if (message.type !== "ready") return `the other process said ${message.type} instead of ready`;
  const committed = channel.send<GiverMessage>({ type: "commit" });
  return committed === "sent" ? await awaitAcknowledgement(channel) : lost(channel, committed);
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
