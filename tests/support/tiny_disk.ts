import { TemporaryDirectory } from "./temporary.ts";

/** How many files there is room for. */
const FILES = 24;

/** A disk of its own that can be filled. Disposing of it takes it away. */
export class TinyDisk implements AsyncDisposable {
  private constructor(private readonly temporary: TemporaryDirectory) {}

  /** Mounts one. */
  static async mount(): Promise<TinyDisk> {
    const temporary = await TemporaryDirectory.make();
    const options = `size=1m,nr_inodes=${FILES}`;
    run("mount", ["-t", "tmpfs", "-o", options, "none", temporary.path]);
    return new TinyDisk(temporary);
  }

  get path(): string {
    return this.temporary.path;
  }

  /** From now on there is no room for another file. */
  async fill(): Promise<void> {
    await Deno.mkdir(`${this.path}/filler`, { recursive: true });
    for (let count = 0; count < FILES; count++) {
      try {
        await Deno.writeTextFile(`${this.path}/filler/${crypto.randomUUID()}`, "");
      } catch {
        return;
      }
    }
    throw new Error("The disk has more room than it should have");
  }

  /** There is room again. */
  async clear(): Promise<void> {
    await Deno.remove(`${this.path}/filler`, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    run("umount", ["--lazy", this.path]);
    await this.temporary[Symbol.asyncDispose]();
  }
}

/** Why there can be no such disk here; `null` if there can. */
export function whyNoTinyDisk(): string | null {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "only root on Linux can mount a disk";
  const path = Deno.makeTempDirSync();
  try {
    run("mount", ["-t", "tmpfs", "none", path]);
    run("umount", [path]);
    return null;
  } catch {
    return "mounting a disk is not allowed here";
  } finally {
    Deno.removeSync(path);
  }
}

function run(command: string, args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(command, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
}
