import { Failure } from "../failure.ts";
import { becomeUser } from "../linux/user.ts";

/**
 * Started by root, becomes the user and the group that own a runtime directory, before anything in
 * it is touched: who has it could have put links there.
 *
 * @returns the group that may control the proxy; `null` if none may
 * @throws {Failure} when that is no directory
 */
export function becomeOwnerOf(directory: string): number | null {
  const { isDirectory, uid, gid, mode } = Deno.lstatSync(directory);
  if (!isDirectory || uid === null || gid === null) {
    throw new Failure(`The runtime directory ${directory} is not a directory`);
  }
  if (Deno.uid() === 0 && uid !== 0) becomeUser(uid, gid);
  // With a group the directory is open to it, see OwnedDirectory.
  return ((mode ?? 0) & 0o070) === 0 ? null : gid;
}
