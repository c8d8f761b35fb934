/**
 * Connections in messages: what they are made of as JSON, and their descriptors beside it.
 *
 * @module
 */

import { LONGEST_MESSAGE, MOST_DESCRIPTORS } from "../linux/unix_socket.ts";
import type { MovedConnection, MovedDirection } from "../relay/epoll/moved.ts";
import type { PackedConnection } from "./messages.ts";

/** Connections that go into one message. */
export interface Batch {
  readonly connections: PackedConnection[];
  readonly descriptors: number[];
}

/** What a connection without kept bytes takes in a message, about. */
const USUAL_SIZE = 512;

/** What its header of the PROXY protocol takes besides. */
const HEADER_SIZE = 192;

/** How much of a message connections may take. */
const ROOM = LONGEST_MESSAGE - 1024;

/** Packs connections into as few messages as they fit in. */
export function* pack(connections: Iterable<MovedConnection>): Generator<Batch> {
  let batch: Batch = { connections: [], descriptors: [] };
  let size = 0;
  for (const connection of connections) {
    const own: number[] = [];
    const packed = packOne(connection, own, batch.descriptors.length);
    const { up, down } = packed;
    const usual = packed.header ? USUAL_SIZE + HEADER_SIZE : USUAL_SIZE;
    const added = usual + (up?.kept?.length ?? 0) + (down?.kept?.length ?? 0);
    if (batch.descriptors.length + own.length > MOST_DESCRIPTORS || size + added > ROOM) {
      yield batch;
      own.length = size = 0;
      batch = { connections: [packOne(connection, own, 0)], descriptors: own };
    } else {
      batch.connections.push(packed);
      batch.descriptors.push(...own);
    }
    size += added;
  }
  if (batch.connections.length > 0) yield batch;
}

/**
 * Unpacks a message's connections.
 *
 * @throws {Error} when a descriptor is missing, or meant for two
 */
export function unpack({ connections, descriptors }: Batch): MovedConnection[] {
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
  const unpacked = connections.map((packed) => ({
    ...packed,
    client: take(packed.client),
    upstream: packed.upstream === null ? -1 : take(packed.upstream),
    up: direction(packed.up),
    down: direction(packed.down),
  }));
  if (left.size > 0) throw new Error(`${left.size} descriptors belong to no connection`);
  return unpacked;
}

/** @param first the place of the first of its descriptors in the message */
function packOne(moved: MovedConnection, descriptors: number[], first: number): PackedConnection {
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
  return {
    ...moved,
    client: put(moved.client),
    upstream: moved.upstream === -1 ? null : put(moved.upstream),
    up: direction(moved.up),
    down: direction(moved.down),
  };
}
