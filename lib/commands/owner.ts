import { Option } from "commander";
import { userInfo } from "node:os";

/** The default owner of a drain: who called sudo, else who runs this. */
export function defaultOwner(): string {
  return Deno.env.get("SUDO_USER") || userName();
}

/** The option that names another one. */
export function ownerOption(): Option {
  return new Option("--owner <id>", "who holds the drain (default: $SUDO_USER, else the user)");
}

/** The options of a command, with the default owner if none was given. */
export function owned<Options extends { owner?: string }>(
  options: Options,
): Options & { owner: string } {
  return { ...options, owner: options.owner ?? defaultOwner() };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's database, as in containers.
    return `${Deno.uid()}`;
  }
}
