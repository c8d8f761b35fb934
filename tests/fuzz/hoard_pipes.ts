/**
 * Takes all but a few of the pipes that the system grants to a user, and keeps them until its stdin
 * ends (pipe(7), pipe-user-pages-soft).
 *
 * @module
 */

import { closePipe, makePipe, type Pipe } from "../../lib/linux/pipe.ts";

/** The size of each, in bytes. */
const SIZE = 1024 * 1024;
/** How many are left. */
const LEFT = 3;
/** Where there is no limit, these are enough. */
const MOST = 256;

const pipes: Pipe[] = [];
for (let pipe = makePipe(SIZE); pipe !== null; pipe = makePipe(SIZE)) {
  pipes.push(pipe);
  if (pipe.size < SIZE || pipes.length === MOST) break;
}
for (const pipe of pipes.splice(0, LEFT)) closePipe(pipe);
Deno.stdout.writeSync(new TextEncoder().encode(`${pipes.length} pipes\n`));
while (await Deno.stdin.read(new Uint8Array(1)) !== null);
