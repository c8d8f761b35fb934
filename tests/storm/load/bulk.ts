import { crc32 } from "node:zlib";
import { Random } from "../random.ts";
import { Broken } from "./broken.ts";
import { pause } from "./pause.ts";
import type { Visit } from "./visit.ts";

/** Random bytes, of which each stream sends parts from anywhere. */
const BLOCK = randomBytes(1024 * 1024);
/** How many bytes are sent at once. */
const BURST = 128 * 1024;
/** How many bursts a stream has; and one that is to last for seconds. */
const BURSTS = [4, 24] as const;
const MANY_BURSTS = [60, 160] as const;

/**
 * Sends a stream to be echoed, and checks it in both directions: what the server says it has
 * received, and what comes back.
 */
export function visitInBulk(visit: Visit, random: Random): Promise<void> {
  return stream(visit, random, BURSTS);
}

/** As {@linkcode visitInBulk}, for seconds. */
export function visitInBulkForLong(visit: Visit, random: Random): Promise<void> {
  return stream(visit, random, MANY_BURSTS);
}

async function stream(
  { call, seen }: Visit,
  random: Random,
  counts: readonly [number, number],
): Promise<void> {
  const bursts = random.between(...counts);
  // Not whole bursts, so that the ends of pieces are anywhere.
  const count = bursts * BURST - random.between(0, BURST - 1);
  await call.send(`bulk ${count}\n`);
  // Both at the same time, since neither side takes more than it can give.
  const [sent, received] = await Promise.all([
    send(call, count, random),
    receive(call, seen, count),
  ]);
  const [version = "", arrived] = (await call.line()).split(" ");
  seen.by(version);
  await call.finish();
  seen.closed();
  if (arrived !== `${sent}`) throw new Broken("wrong", "other bytes arrived than were sent");
  if (received !== sent) throw new Broken("wrong", "other bytes came back than were sent");
}

/** @returns the checksum of what was sent */
async function send(call: Visit["call"], count: number, random: Random): Promise<number> {
  let checksum = 0;
  for (let left = count; left > 0;) {
    const length = Math.min(left, random.between(1, BURST));
    const start = random.between(0, BLOCK.length - length);
    const piece = BLOCK.subarray(start, start + length);
    checksum = crc32(piece, checksum);
    left -= length;
    await call.send(piece);
    await pause(random.between(1, 20));
  }
  return checksum;
}

/** @returns the checksum of what came back */
async function receive(call: Visit["call"], seen: Visit["seen"], count: number): Promise<number> {
  let checksum = 0;
  seen.by(await call.line());
  await call.bytes(count, (bytes) => checksum = crc32(bytes, checksum));
  return checksum;
}

function randomBytes(count: number): Uint8Array {
  const random = new Random(count);
  return Uint8Array.from({ length: count }, () => random.between(0, 255));
}
