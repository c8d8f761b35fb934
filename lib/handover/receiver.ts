/**
 * The side that receives: it is ready before it asks, takes everything, and touches nothing before it
 * is certain that the other side never will again.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { libc } from "../linux/libc.ts";
import { closeWithReset } from "../linux/socket.ts";
import { messageOf } from "../message_of.ts";
import { raiseDescriptorLimit } from "../linux/resource_limit.ts";
import type {
  Changed,
  Foundation,
  MovedConnection,
  MovedRelay,
  Told,
} from "../relay/epoll/moved.ts";
import { VERSION } from "../version.ts";
import { type Channel, SIGN_OF_LIFE } from "./channel.ts";
import {
  type GiverMessage,
  parseGiverMessage,
  PROTOCOL,
  type ReceiverMessage,
} from "./messages.ts";
import { NobodyThere } from "./nobody_there.ts";
import { unpack } from "./packing.ts";
import type { Estate } from "./giver.ts";

/** The process that was to give is dead, and what it had is lost. */
export class GiverDied extends Failure {}

/** The other process has nothing to give, or not to this one. */
export class Refused extends Failure {
  /** @param reason in its words */
  constructor(message: string, readonly reason: string) {
    super(`${message}: ${reason}`);
  }
}

/** Who gives. */
export type Offer = Extract<GiverMessage, { type: "offer" }>;

/** A message, and what came with it. */
interface Next {
  readonly message: GiverMessage;
  readonly descriptors: number[];
}

/** Who asks. */
export type Receiver = Pick<Extract<ReceiverMessage, { type: "hello" }>, "kind" | "until">;

/**
 * Asks what there is to take.
 *
 * @throws {NobodyThere} when the other process went away before it answered
 * @throws {Failure} when it is refused, or does not answer
 */
export function ask(channel: Channel, self: Receiver = { kind: "proxy", until: null }): Offer {
  if (channel.whyUnsafe !== null) {
    throw new Refused("Failed to take over", channel.whyUnsafe);
  }
  channel.send<ReceiverMessage>({ type: "hello", protocol: PROTOCOL, version: VERSION, ...self });
  const received = channel.receive();
  if (received === "gone") throw new NobodyThere(lost(channel, received).message);
  if (received === "silent") throw lost(channel, received);
  const message = parseGiverMessage(received.json);
  if (message.type === "refusal") throw new Refused("Failed to take over", message.reason);
  if (message.type !== "offer") throw unexpected(message.type);
  return message;
}

/** How many descriptors a process has beside those that it takes, about. */
const OWN_DESCRIPTORS = 64;

/** What has been taken. */
export interface Taken extends Estate {
  /** The descriptor of the line to a reaper; `null` where there is none. */
  readonly line: number | null;
}

/** Who is told of connections ahead. */
export interface Audience {
  /** @throws {Error} when that does not go with what was told before; then nothing has been taken */
  take(told: Told): void;
  /** Resolves when all has been taken that was told. */
  taken(): Promise<void>;
  /** How many connections have been taken that are not over. */
  readonly arrived: number;
}

/**
 * How often it is asked to be told ahead. The last time there is little to be told; but all that is
 * to be done once the other process has frozen has then been done before, and is done faster.
 */
const ROUNDS = 2;

/**
 * Asks to be told of the connections ahead; the other process goes on serving them.
 *
 * @param begin is given what there is from the start, and makes what is told of the connections, which
 *   has the descriptors from then on
 * @throws {Failure} when it cannot be had; the other process goes on, if it lives
 */
export async function takeAhead(
  channel: Channel,
  { more }: Pick<Offer, "more">,
  begin: (foundation: Foundation) => Audience,
): Promise<void> {
  const descriptors: number[] = [];
  try {
    channel.send<ReceiverMessage>({ type: "prepare" });
    const { message } = next(channel, descriptors, false);
    if (message.type !== "ahead") throw unexpected(message.type);
    checkCount(descriptors, 1 + more.length);
    makeRoomFor(message.descriptors);
    const { isInherited, connections: expected } = message;
    const audience = begin({ listeners: [...descriptors], isInherited, expected });
    descriptors.length = 0;
    for (let round = 1;; round++) {
      while (takePiece(channel, descriptors, audience)) descriptors.length = 0;
      await taken(channel, audience);
      if (round === ROUNDS) return;
      channel.send<ReceiverMessage>({ type: "prepare" });
    }
  } catch (error) {
    giveUp(channel, descriptors, error);
    throw asFailure(error, channel);
  }
}

async function taken(channel: Channel, audience: Audience): Promise<void> {
  const alive = setInterval(() => channel.send<ReceiverMessage>({ type: "wait" }), SIGN_OF_LIFE);
  try {
    await audience.taken();
  } finally {
    clearInterval(alive);
  }
}

/** @param descriptors gets those that came @returns whether there is more */
function takePiece(channel: Channel, descriptors: number[], audience: Audience): boolean {
  const { message } = next(channel, descriptors, audience.arrived > 0);
  if (message.type === "told") {
    checkCount(descriptors, 0);
    return false;
  }
  if (message.type !== "connections") throw unexpected(message.type);
  audience.take(unpack({ ...message, descriptors }));
  return true;
}

/**
 * Takes everything that has not been told ahead. The other process touches nothing from now on, and
 * ends if this one succeeds.
 *
 * @param offer what it has offered
 * @param taken how many descriptors have been taken before, about
 * @throws {Failure} when it cannot be had; the other process goes on, if it lives
 */
export function take(
  channel: Channel,
  { reaper, more }: Pick<Offer, "reaper" | "more">,
  taken = 0,
): Taken {
  const single = reaper === undefined ? 2 : 3;
  const ours = single + more.length;
  const descriptors: number[] = [];
  try {
    channel.send<ReceiverMessage>({ type: "go" });
    const { message: state, descriptors: first } = next(channel, descriptors, taken > 0);
    if (state.type !== "state") throw unexpected(state.type);
    const [listener, lock] = first;
    const line = reaper === undefined ? null : first[2] ?? null;
    checkCount(first, ours);
    if (listener === undefined || lock === undefined) throw new Error("a descriptor is missing");
    makeRoomFor(taken + state.descriptors);
    const { drain, isInherited, lastId, counters, arrivals } = state;
    const relay: MovedRelay = {
      ...{ isInherited, lastId, counters, arrivals },
      expected: state.connections,
      listeners: [listener, ...first.slice(single)],
      ...takeRest(channel, descriptors, state),
    };
    return { relay, drain, lock, line };
  } catch (error) {
    if (error instanceof GiverDied) {
      // Nobody may take this for the end of what they were sent. The first are no connection's:
      // a listening socket may be a service manager's, and what it is told all who come inherit.
      for (const descriptor of descriptors.splice(ours)) closeWithReset(descriptor);
    }
    giveUp(channel, descriptors, error);
    throw asFailure(error, channel);
  }
}

/** Takes what is told of connections, as much as was announced. @param descriptors gets theirs */
function takeRest(
  channel: Channel,
  descriptors: number[],
  announced: { readonly connections: number; readonly changed: number; readonly ended: number },
): Told {
  const [ended, connections, changed]: [number[], MovedConnection[], Changed[]] = [[], [], []];
  const isWhole = () =>
    ended.length >= announced.ended && connections.length >= announced.connections &&
    changed.length >= announced.changed;
  while (!isWhole()) {
    const { message, descriptors: some } = next(channel, descriptors, true);
    if (message.type !== "connections") throw unexpected(message.type);
    const told = unpack({ ...message, descriptors: some });
    ended.push(...told.ended);
    connections.push(...told.connections);
    changed.push(...told.changed);
  }
  return { ended, connections, changed };
}

/** @throws {Error} when these are not as many as belong to a message */
function checkCount({ length }: readonly number[], expected: number): void {
  if (length < expected) throw new Error("a descriptor is missing");
  if (length > expected) throw new Error(`${length - expected} descriptors belong to nothing`);
}

function asFailure(error: unknown, { name }: Channel): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`Failed to take over from ${name}: ${messageOf(error)}`);
}

/** @throws {Error} when this process cannot have so many descriptors more */
function makeRoomFor(descriptors: number): void {
  const needed = descriptors + OWN_DESCRIPTORS;
  const limit = raiseDescriptorLimit(needed);
  if (limit >= needed) return;
  throw new Error(
    `its connections have ${descriptors} descriptors, and with its own this process needs about ` +
      `${needed}, but may have ${limit}: raise its limit (ulimit -n)`,
  );
}

/**
 * Says that all has been taken, and waits until it is ours.
 *
 * @throws {Failure} when it is not, and the other process goes on
 */
export async function commit(channel: Channel): Promise<void> {
  channel.send<ReceiverMessage>({ type: "ready" });
  let received = channel.receive();
  while (received === "silent" && !channel.kill()) {
    await channel.waitFor();
    received = channel.receive();
  }
  if (typeof received === "string") {
    // One that is dead will never touch anything again; one that only hung up goes on.
    if (received === "gone" && !channel.outlives()) throw lost(channel, received);
    // Perhaps it has said something before that.
    received = channel.receive();
    if (typeof received === "string") return;
  }
  const message = parseGiverMessage(received.json);
  if (message.type === "abort") {
    throw new Failure(`Failed to take over from ${channel.name}: ${message.reason}`);
  }
  if (message.type !== "commit") throw unexpected(message.type);
  channel.send<ReceiverMessage>({ type: "ack" });
}

/** Gives up what has been received. */
export function giveUp(channel: Channel, descriptors: Iterable<number>, error: unknown): void {
  channel.send<ReceiverMessage>({ type: "abort", reason: messageOf(error) });
  // The other side may still be sending: it need not wait until this process has ended.
  channel[Symbol.dispose]();
  for (const descriptor of descriptors) libc.close(descriptor);
}

/**
 * The next message that is more than a sign of life.
 *
 * @param all gets its descriptors
 * @param hasAny whether something was taken before: with the other process that would be lost
 */
function next(channel: Channel, all: number[], hasAny: boolean): Next {
  const received = channel.receiveWithDescriptors();
  if (typeof received === "string") {
    // One that is silent goes on with all it has once it sees that nobody wants it.
    if (received === "silent") throw lost(channel, received);
    // It is ending, or has given everything to somebody else.
    if (all.length === 0 && !hasAny) throw new NobodyThere(lost(channel, received).message);
    if (!channel.outlives()) throw lost(channel, received);
    throw new GiverDied(`Failed to take over: ${channel.name} died in the middle of that`);
  }
  const { json, descriptors } = received;
  all.push(...descriptors);
  const message = parseGiverMessage(json);
  if (message.type === "abort" && message.isEnding) {
    throw new NobodyThere(`Failed to take over: ${channel.name} ends`);
  }
  if (message.type === "abort" || message.type === "refusal") {
    throw new Refused(`Failed to take over from ${channel.name}`, message.reason);
  }
  if (message.type !== "wait") return { message, descriptors };
  if (descriptors.length > 0) {
    throw new Error(`${descriptors.length} descriptors belong to nothing`);
  }
  return next(channel, all, hasAny);
}

function lost(channel: Channel, how: "gone" | "silent"): Failure {
  const what = how === "gone" ? "went away" : "does not answer; kill it if it hangs for good";
  return new Failure(`Failed to take over: ${channel.name} ${what}`);
}

function unexpected(type: string): Error {
  return new Error(`it said ${type} when something else was expected`);
}
