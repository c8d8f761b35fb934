import { userInfo } from "node:os";

/** The default owner of a drain: who called sudo, else who runs this. */
export function defaultOwner(): string {
  return Deno.env.get("SUDO_USER") || userName();
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's database, as in containers.
    return `${Deno.uid()}`;
  }
}
