import { dirname, join } from "node:path";

/**
 * A directory that is to be packed: the same files give the same package, whoever makes it, whenever
 * and with whatever umask. Disposing of it removes it.
 */
export class Staging implements AsyncDisposable {
  private constructor(readonly path: string, private readonly time: Date) {}

  /**
   * Makes an empty one.
   *
   * @param path where; what is there is removed
   * @param time that all its files get
   */
  static async make(path: string, time: Date): Promise<Staging> {
    await Deno.remove(path, { recursive: true }).catch(() => {});
    await Deno.mkdir(path, { recursive: true });
    return new Staging(path, time);
  }

  /** Writes a file, and the directories above it. */
  async write(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const there = await this.#room(path);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(there, bytes);
    await Deno.chmod(there, mode);
  }

  /** Puts an executable there. */
  async link(path: string, executable: string): Promise<void> {
    const there = await this.#room(path);
    await Deno.link(executable, there).catch(() => Deno.copyFile(executable, there));
    await Deno.chmod(there, 0o755);
  }

  /** Makes a directory. */
  async directory(path: string): Promise<void> {
    await this.#room(join(path, "any"));
  }

  /** Gives all that is there its time and the directories their mode, once there is all. @returns its size in bytes */
  async seal(): Promise<number> {
    return await this.#seal(this.path);
  }

  async #room(path: string): Promise<string> {
    const there = join(this.path, path);
    await Deno.mkdir(dirname(there), { recursive: true });
    return there;
  }

  async #seal(path: string): Promise<number> {
    let { size, isDirectory } = await Deno.stat(path);
    if (isDirectory) {
      for await (const { name } of Deno.readDir(path)) size += await this.#seal(join(path, name));
      await Deno.chmod(path, 0o755);
    }
    await Deno.utime(path, this.time, this.time);
    return size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
