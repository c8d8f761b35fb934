import { join } from "node:path";
import type { PROGRAMS } from "../../lib/packaging/programs.ts";
import { commandOf, type Finished, Running, type StartOptions } from "./programs.ts";
import { madeOnce } from "./made_once.ts";
import { TemporaryDirectory } from "./temporary.ts";
import { isThere } from "./tools.ts";

const HERE = new URL(import.meta.url).pathname;

/** A number that no user has, and no group. */
const NOBODY = 54321;

/** Why tests with another user cannot run here; `null` if they can. */
export function noOtherUser(): string | null {
  if (Deno.uid() !== 0) return "not root";
  if (!isThere("setpriv")) return "no setpriv";
  const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "test", "-r", HERE];
  const { success } = new Deno.Command("setpriv", { args }).outputSync();
  return success ? null : "no other user can read where the project is";
}

/**
 * A user without any rights, with a directory of its own, as whom programs can be started. What
 * they need that only root can read is copied.
 */
export class AnotherUser implements AsyncDisposable {
  readonly id = NOBODY;
  readonly #copied = new Map<string, string>();

  private constructor(
    private readonly temporary: TemporaryDirectory,
    /** `$DENO_DIR` for this user. */
    readonly cache: string,
  ) {}

  static async make(): Promise<AnotherUser> {
    const user = new AnotherUser(await TemporaryDirectory.make(), await makeCache());
    await Deno.chmod(user.temporary.path, 0o755);
    for (const name of ["home", "bin"]) await Deno.mkdir(join(user.temporary.path, name));
    await Deno.chown(user.home, NOBODY, NOBODY);
    return user;
  }

  /** A directory that belongs to this user. */
  get home(): string {
    return join(this.temporary.path, "home");
  }

  /** Starts a program as this user. @param group of which it is a member besides */
  start(
    name: keyof typeof PROGRAMS,
    args: readonly string[],
    options: StartOptions & { readonly group?: number } = {},
  ): Promise<Running> {
    return this.run([...commandOf(name), ...args], options);
  }

  /** Starts any command as this user. @param group of which it is a member besides */
  async run(
    [file = "", ...args]: readonly string[],
    options: StartOptions & { readonly group?: number } = {},
  ): Promise<Running> {
    const groups = options.group === undefined ? "--clear-groups" : `--groups=${options.group}`;
    const setpriv = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, groups];
    const env = { DENO_DIR: this.cache, ...options.env };
    const through = options.through ?? [];
    return new Running([...through, ...setpriv, await this.#readable(file), ...args], {
      ...options,
      env,
      cwd: this.home,
    });
  }

  /** Runs a program to its end as this user. */
  async complete(
    name: keyof typeof PROGRAMS,
    args: readonly string[],
    options: StartOptions & { readonly group?: number } = {},
  ): Promise<Finished> {
    await using program = await this.start(name, args, options);
    await program.closeStdin();
    return await program.finished();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.temporary[Symbol.asyncDispose]();
  }

  /** An executable that this user can read. */
  async #readable(file: string): Promise<string> {
    let copy = this.#copied.get(file);
    if (copy === undefined) {
      copy = join(this.temporary.path, "bin", `${this.#copied.size}`);
      await Deno.link(file, copy).catch(() => Deno.copyFile(file, copy ?? ""));
      this.#copied.set(file, copy);
    }
    return copy;
  }
}

/**
 * Makes the user's `$DENO_DIR`, with the libraries: once, until there are others, so that Deno need not
 * read all that is started anew for each test.
 */
async function makeCache(): Promise<string> {
  const lockfile = await Deno.readFile(new URL("../../deno.lock", import.meta.url));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", lockfile)).toHex();
  return await madeOnce(`user-${digest.slice(0, 12)}`, async (directory) => {
    const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { npmCache } = JSON.parse(new TextDecoder().decode(info.stdout));
    // Links cost nothing, but there are none between file systems. They are the same files as the
    // originals, so only the directories may get another owner.
    const copy = `{ cp -al "$0" npm 2>/dev/null || cp -a "$0" npm; } &&
      find . -type d -exec chown ${NOBODY} {} +`;
    const { success, stderr } = await new Deno.Command("sh", {
      args: ["-c", copy, npmCache],
      cwd: directory,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  });
}
