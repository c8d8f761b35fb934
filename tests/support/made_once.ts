import { join } from "node:path";

/** Where what is made once stays; nothing else looks there. */
const DIRECTORY = new URL("../../dist/tests/", import.meta.url).pathname;

/**
 * Makes a directory that tests need and do not change, unless it is there already, from whatever run of
 * the tests.
 *
 * @param name by which it is found again: it says of what it is made
 * @param make makes what is in it
 * @returns its path
 */
export async function madeOnce(
  name: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const path = join(DIRECTORY, name);
  await Deno.mkdir(DIRECTORY, { recursive: true });
  // Tests of other files may want it just now.
  using lock = await Deno.open(`${path}.lock`, { write: true, create: true });
  await lock.lock(true);
  if (await Deno.stat(path).catch(() => null) !== null) return path;
  const unfinished = `${path}.unfinished`;
  await Deno.remove(unfinished, { recursive: true }).catch(() => {});
  await Deno.mkdir(unfinished);
  await make(unfinished);
  await Deno.rename(unfinished, path);
  return path;
}
