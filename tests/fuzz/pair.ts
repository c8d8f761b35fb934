/**
 * A connection with both of its ends, and what must be true of it once it is over.
 *
 * @module
 */

import type { Kind } from "../relay/relays.ts";
import { describeEnd, type End } from "./end.ts";
import { mayReset } from "./forgiven.ts";
import { type ConnectionScript, describeScript } from "./script.ts";

/** A connection. An end is missing as long as nobody has said that it belongs here. */
export interface Pair {
  readonly number: number;
  readonly script: ConnectionScript;
  client: End | null;
  service: End | null;
  /** Whether the relay was told to kill it. */
  killed: boolean;
}

/** Whether the connection went from its beginning to a clean end on both sides. */
export function isPeaceful({ client, service, killed }: Pair): boolean {
  return !killed &&
    [client, service].every((end) => end !== null && end.ended && end.sawEnd && !end.sawReset);
}

/** Whether one of its ends went away, or somebody killed it: then the other may see a reset. */
export function isBrokenOff({ client, service, killed }: Pair): boolean {
  return killed || [client, service].some((end) => end !== null && wentAway(end));
}

/** What is wrong with a connection that is over. */
export function faultsOf(kind: Kind, pair: Pair): string[] {
  const { client, service } = pair;
  const mayBeReset = isBrokenOff(pair) || mayReset(kind, pair);
  return [
    ...client === null ? [] : faultsAt("client", client, service, mayBeReset),
    ...service === null ? [] : faultsAt("service", service, client, mayBeReset),
  ];
}

/** A connection, for people: who was to do what, and what came of it. */
export function describePair({ number, script, client, service, killed }: Pair): string {
  return [
    `connection ${number}${killed ? ", which was killed" : ""}`,
    `  client:  ${describeScript(script.client)}`,
    `           ${client === null ? "never seen" : describeEnd(client)}`,
    `  service: ${describeScript(script.service)}`,
    `           ${service === null ? "never seen" : describeEnd(service)}`,
  ].join("\n");
}

function faultsAt(name: string, end: End, other: End | null, mayBeReset: boolean): string[] {
  const sent = other?.sent ?? 0;
  const faults: string[] = [];
  if (end.wrong !== null) faults.push(`the ${name} received something wrong: ${end.wrong}`);
  if (end.stuck !== null) faults.push(`the ${name} was left waiting`);
  if (end.sawReset !== null && !mayBeReset) faults.push(`the ${name} was reset for no reason`);
  if (end.received > sent) faults.push(`the ${name} received more than the ${sent} that were sent`);
  if (end.sawEnd && other !== null) {
    if (!other.ended && other.parted !== "leave") {
      faults.push(`the ${name} saw an end that was none`);
    }
    if (end.received < sent) {
      faults.push(`the ${name} saw a clean end after ${end.received} of ${sent} bytes`);
    }
  }
  if (other === null && !mayBeReset) faults.push(`nobody was at the other side of the ${name}`);
  return faults;
}

function wentAway({ parted, wrong, stuck }: End): boolean {
  return parted !== null || wrong !== null || stuck !== null;
}
