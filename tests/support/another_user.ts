import { join } from "node:path";
import type { PROGRAMS } from "../../lib/packaging/programs.ts";
import { commandOf, type Finished, Running, type StartOptions } from "./programs.ts";
import { TemporaryDirectory } from "./temporary.ts";
import { isThere } from "./tools.ts";

/** A number that no user has, and no group. */
const NOBODY = 54321;

/** Why tests with another user cannot run here; `null` if they can. */
export function noOtherUser(): string | null {
  if (Deno.uid() !== 0) return "not root";
  return isThere("setpriv") ? null : "no setpriv";
}

/**
 * A user without any rights, with a directory of its own, as whom programs can be started. What
 * they need that only root can read is copied.
 */
export class AnotherUser implements AsyncDisposable {
  readonly id = NOBODY;
  readonly #copied = new Map<string, string>();

  private constructor(private readonly temporary: TemporaryDirectory) {}

  static async make(): Promise<AnotherUser> {
    const user = new AnotherUser(await TemporaryDirectory.make());
    await Deno.chmod(user.temporary.path, 0o755);
    for (const name of ["home", "bin"]) await Deno.mkdir(join(user.temporary.path, name));
    const cache = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { npmCache } = JSON.parse(new TextDecoder().decode(cache.stdout));
    // Links cost nothing, but there are none between file systems. They are the same files as the
    // originals, so only the directories may get another owner.
    const copy = `mkdir deno && { cp -al "$0" deno/npm 2>/dev/null || cp -a "$0" deno/npm; } &&
      find deno home -type d -exec chown ${NOBODY} {} +`;
    const { success, stderr } = await new Deno.Command("sh", {
      args: ["-c", copy, npmCache],
      cwd: user.temporary.path,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return user;
  }

  /** A directory that belongs to this user. */
  get home(): string {
    return join(this.temporary.path, "home");
  }

  /** `$DENO_DIR` for this user. */
  get cache(): string {
    return join(this.temporary.path, "deno");
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
    return new Running([...setpriv, await this.#readable(file), ...args], {
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
