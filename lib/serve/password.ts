/**
 * The password that a page may need, and who has shown it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { readRegularFile } from "../regular_file.ts";

/** Permissions that nobody but the owner of a password may have (chmod(2)). */
const OTHERS = 0o077;

/** Those of a credential of systemd, which an entry for one user is added to (systemd.exec(5), acl(5)). */
const CREDENTIAL = 0o440;

/** Whether the header `Authorization` of a request has the password. */
export type IsAuthorized = (authorization: string | undefined) => boolean;

/**
 * Reads a file with one line, `USER:PASSWORD`, for Basic authentication (RFC 7617).
 *
 * @throws {Failure} when there is none, or others could have read it
 */
export async function readPassword(path: string): Promise<IsAuthorized> {
  const { mode, isOfRoot, text } = await read(path);
  if ((mode & OTHERS) !== 0 && !(isOfRoot && mode === CREDENTIAL)) {
    const octal = mode.toString(8).padStart(4, "0");
    throw new Failure(
      `The password file ${path} has mode ${octal}, so that others have it as well: chmod 600 ${path}`,
    );
  }
  const line = text.replace(/\r?\n$/, "");
  if (!/^[^:\n\r]+:[^\n\r]+$/.test(line)) {
    throw new Failure(`The password file ${path} must have one line, USER:PASSWORD`);
  }
  const right = digest(`Basic ${Buffer.from(line).toString("base64")}`);
  // Digests have one length, and the comparison takes the same time wherever they differ.
  return (authorization = "") =>
    timingSafeEqual(digest(authorization.replace(/^basic +/i, "Basic ")), right);
}

async function read(path: string): Promise<{ mode: number; isOfRoot: boolean; text: string }> {
  try {
    const { mode, uid, gid } = await Deno.lstat(path);
    const isOfRoot = uid === 0 && gid === 0;
    return { mode: (mode ?? 0) & 0o777, isOfRoot, text: readRegularFile(path) };
  } catch (error) {
    throw new Failure(`Failed to read the password file ${path}: ${messageOf(error)}`);
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
