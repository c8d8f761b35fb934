/**
 * Connections in messages: what they are made of as JSON, and their descriptors beside it.
 *
 * @module
 */

import { LONGEST_MESSAGE, MOST_DESCRIPTORS } from "../linux/unix_socket.ts";
import type { Changed, MovedConnection, MovedDirection, Told } from "../relay/epoll/moved.ts";
import type { PackedChange, PackedConnection } from "./messages.ts";

/** What goes into one message. */
export interface Batch {
  /** Left out where there are none, as a version before knows none. */
  readonly ended?: number[];
  readonly connections: PackedConnection[];
  /** As {@linkcode Batch.ended}. */
  readonly changed?: PackedChange[];
  readonly descriptors: number[];
}

/** What a connection without kept bytes takes in a message, about. */
const USUAL_SIZE = 512;

/** What its header of the PROXY protocol takes besides. */
const HEADER_SIZE = 192;

/** How many ids take as much of a message as a connection, at the least. */
const IDS_OF_A_SIZE = 16;

/** How much of a message connections may take. */
const ROOM = LONGEST_MESSAGE - 1024;

/** Packs what is told of connections into as few messages as it fits in: the ends first. */
export function* pack({ ended, connections, changed }: Told): Generator<Batch> {
  const most = Math.floor(ROOM / USUAL_SIZE) * IDS_OF_A_SIZE;
  for (let at = 0; at < ended.length; at += most) {
    yield { ended: ended.slice(at, at + most), connections: [], descriptors: [] };
  }
  for (const { packed, descriptors } of batches(connections, packOne)) {
    yield { connections: packed, descriptors };
  }
  for (const { packed, descriptors } of batches(changed, packChange)) {
    yield { connections: [], changed: packed, descriptors };
  }
}

function* batches<One, Packed extends PackedChange>(
  all: Iterable<One>,
  packOne: (one: One, descriptors: number[], first: number) => Packed,
): Generator<{ readonly packed: Packed[]; readonly descriptors: number[] }> {
  let batch = { packed: [] as Packed[], descriptors: [] as number[] };
  let size = 0;
  for (const one of all) {
    const own: number[] = [];
    const packed = packOne(one, own, batch.descriptors.length);
    const { up, down } = packed;
    const usual = packed.header ? USUAL_SIZE + HEADER_SIZE : USUAL_SIZE;
    const added = usual + (up?.kept?.length ?? 0) + (down?.kept?.length ?? 0);
    if (batch.descriptors.length + own.length > MOST_DESCRIPTORS || size + added > ROOM) {
      yield batch;
      own.length = size = 0;
      batch = { packed: [packOne(one, own, 0)], descriptors: own };
    } else {
      batch.packed.push(packed);
      batch.descriptors.push(...own);
    }
    size += added;
  }
  if (batch.packed.length > 0) yield batch;
}

/**
 * Unpacks what a message tells of connections.
 *
 * @throws {Error} when a descriptor is missing, or meant for two
 */
export function unpack({ ended = [], connections, changed = [], descriptors }: Batch): Told {
  const left = new Map(descriptors.entries());
  const take = (place: number): number => {
    const descriptor = left.get(place);
    if (descriptor === undefined) throw new Error(`Descriptor ${place} is missing`);
    left.delete(place);
    return descriptor;
  };
  const direction = (packed: PackedConnection["up"]): MovedDirection | null => {
    if (packed === null) return null;
    const { ended, done, kept, pipe } = packed;
    return {
      ended,
      done,
      kept: kept === null ? null : Uint8Array.fromBase64(kept),
      pipe: pipe && { ...pipe, reader: take(pipe.reader), writer: take(pipe.writer) },
    };
  };
  const told = {
    ended,
    connections: connections.map((packed) => ({
      ...packed,
      client: take(packed.client),
      upstream: packed.upstream === null ? -1 : take(packed.upstream),
      up: direction(packed.up),
      down: direction(packed.down),
    })),
    changed: changed.map((packed) => ({
      ...packed,
      up: direction(packed.up),
      down: direction(packed.down),
    })),
  };
  if (left.size > 0) throw new Error(`${left.size} descriptors belong to no connection`);
  return told;
}

/** @param first the place of the first of its descriptors in the message */
function packOne(moved: MovedConnection, descriptors: number[], first: number): PackedConnection {
  const put = (descriptor: number) => first + descriptors.push(descriptor) - 1;
  const client = put(moved.client);
  const upstream = moved.upstream === -1 ? null : put(moved.upstream);
  return { ...moved, ...packChange(moved, descriptors, first), client, upstream };
}

/** As {@linkcode packOne}. */
function packChange(moved: Changed, descriptors: number[], first: number): PackedChange {
  const put = (descriptor: number) => first + descriptors.push(descriptor) - 1;
  const direction = (moved: MovedDirection | null) => {
    if (moved === null) return null;
    const { ended, done, kept, pipe } = moved;
    return {
      ended,
      done,
      kept: kept?.toBase64() ?? null,
      pipe: pipe && { ...pipe, reader: put(pipe.reader), writer: put(pipe.writer) },
    };
  };
  return { ...moved, up: direction(moved.up), down: direction(moved.down) };
}
