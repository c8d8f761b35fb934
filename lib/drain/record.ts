/**
 * The drain record: what must be known of a drain should the proxy die.
 *
 * @module
 */

import * as v from "valibot";
import { parseAddress } from "../address.ts";
import { validated } from "../validated.ts";

const time = v.pipe(v.string(), v.isoTimestamp(), v.check(isTime, "is no time"));
const address = v.pipe(v.string(), v.check(isAddress, "is no HOST:PORT"));
/** At most a century: what is longer may end at a time that cannot be written. */
const milliseconds = v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(3.2e12)));

/** A refused drain, which absorbs one later resume by its owner. */
const refusal = v.strictObject({ owner: v.string(), expires: time });

const schema = v.strictObject({
  version: v.literal(1),
  state: v.picklist(["draining", "drained"]),
  /** `null`: nobody's; anybody may end it (`--start-drained`). */
  owner: v.nullable(v.string()),
  reason: v.nullable(v.string()),
  since: time,
  /** When the drain fails unless it is drained by then; `null`: never. */
  deadline: v.nullable(time),
  /** How long it may stay drained, in milliseconds; `null`: no limit. */
  lease: milliseconds,
  /** When the lease ends; `null` while draining, or if there is no limit. */
  leaseExpires: v.nullable(time),
  exclusive: v.boolean(),
  /** Nobody needs to wait for it (`--no-wait`). */
  detached: v.boolean(),
  /** The service on the command line. */
  commandUpstream: address,
  /** Where new connections go instead; `null` unless it was retargeted. */
  upstream: v.nullable(address),
  refusals: v.array(refusal),
});

/** The drain record. Times are ISO 8601 by the wall clock. */
export type DrainRecord = v.InferOutput<typeof schema>;

/**
 * Reads a record.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parseRecord(text: string): DrainRecord {
  return validated(schema, JSON.parse(text));
}

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

/** Whether a text is `HOST:PORT`. */
export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false;
  }
}

/** Writes a record as text. */
export function formatRecord(record: DrainRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** The record of a drained proxy whose lease begins now, in milliseconds since the epoch. */
export function withNewLease(record: DrainRecord, now: number): DrainRecord {
  const { lease } = record;
  return { ...record, leaseExpires: lease === null ? null : new Date(now + lease).toISOString() };
}

/** Keeps the record. Each call has happened for good, even if the power fails, when it resolves. */
export interface RecordStore {
  /** @throws when it cannot be written for good; the earlier one, or this one, is there, whole */
  write(record: DrainRecord): Promise<void>;
  /** @throws when it cannot be removed */
  remove(): Promise<void>;
}
