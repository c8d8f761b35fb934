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
import type { Channel } from "./channel.ts";
import { type GiverMessage, type Kind, parseReceiverMessage, PROTOCOL } from "./messages.ts";
import { pack } from "./packing.ts";

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
  /** Where it listens, `HOST:PORT`. */
  readonly listen: string;
  /** The cookie of the listening socket. */
  readonly cookie: string;
  /**
   * Touches nothing from now on. When that fails, nothing has changed.
   *
   * @param to what the receiver is
   */
  freeze(to: Kind): Promise<Estate>;
  /** Goes on as before. */
  thaw(): Promise<void>;
}

/** What came of an attempt to give. */
export type Given =
  /** Everything belongs to the other process now. */
  | { readonly gone: true }
  /** Nothing has changed; why. */
  | { readonly gone: false; readonly reason: string };

/** How often it says that it still lives, while it is not ready to give, in milliseconds. */
const SIGN_OF_LIFE = 1000;

/** Says what there is to give. */
export function offer(channel: Channel, { kind, listen, cookie }: Giver): void {
  channel.send({
    type: "offer",
    protocol: PROTOCOL,
    version: VERSION,
    pid: Deno.pid,
    kind,
    listen,
    cookie,
  });
}

/** Gives everything to who said go. @param to what that is */
export async function give(channel: Channel, giver: Giver, to: Kind = "proxy"): Promise<Given> {
  let estate: Estate;
  const alive = setInterval(() => channel.send({ type: "wait" }), SIGN_OF_LIFE);
  try {
    estate = await giver.freeze(to);
  } catch (error) {
    const reason = messageOf(error);
    withdraw(channel, reason);
    return { gone: false, reason };
  } finally {
    clearInterval(alive);
  }
  let reason: string | null;
  try {
    reason = handOver(channel, estate);
  } catch (error) {
    reason = messageOf(error);
  }
  if (reason === null) return { gone: true };
  // Before anything is touched here: the other side must not go on when this one is gone.
  withdraw(channel, reason);
  await giver.thaw();
  return { gone: false, reason };
}

/**
 * Makes sure that the other side never goes on: one that does not take the message is killed; one
 * that cannot be killed gets it in the end.
 */
function withdraw(channel: Channel, reason: string): void {
  while (channel.send({ type: "abort", reason }) === "silent" && !channel.kill());
}

/** @returns why it is still ours; `null` if it is not */
function handOver(channel: Channel, { relay, drain, lock }: Estate): string | null {
  const { listener, connections, arrivals, ...same } = relay;
  const state: GiverMessage = {
    type: "state",
    ...same,
    arrivals: [...arrivals],
    connections: connections.length,
    drain,
  };
  let sent = channel.send(state, [listener, lock]);
  for (const { connections: some, descriptors } of pack(connections)) {
    if (sent !== "sent") break;
    sent = channel.send({ type: "connections", connections: some }, descriptors);
  }
  if (sent !== "sent") return lost(channel, sent);
  const reply = channel.receive();
  if (typeof reply === "string") return lost(channel, reply);
  const message = parseReceiverMessage(reply.json);
  if (message.type === "abort") return `the other process gave up: ${message.reason}`;
  if (message.type !== "ready") return `the other process said ${message.type} instead of ready`;
  const committed = channel.send({ type: "commit" });
  return committed === "sent" ? awaitAcknowledgement(channel) : lost(channel, committed);
}

/** @returns what happened to it */
function lost(channel: Channel, how: "gone" | "silent"): string {
  if (how === "gone") return "the other process went away";
  channel.kill();
  return "the other process did not answer, and was killed";
}

/** From here on the other side may have begun to serve: that it has not must be certain. */
function awaitAcknowledgement(channel: Channel): string | null {
  try {
    const reply = channel.receive();
    if (typeof reply === "object") return null;
    if (reply === "gone") return "the other process died before it could go on";
    // Not for one who has just woken up.
    if (becomesReadable(channel.descriptor, 0)) return awaitAcknowledgement(channel);
    // One that may not be killed may still go on; then all of it belongs to that one.
    if (!channel.kill()) return null;
    return typeof channel.receive() === "object" ? null : lost(channel, reply);
  } catch {
    // Whatever it said, it has said something.
    return null;
  }
}
