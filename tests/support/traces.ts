import type { StartOptions } from "./programs.ts";

/**
 * A temporary directory for all that a program and its children make, to see what they leave
 * behind. Disposing of it removes it.
 */
export class Traces implements AsyncDisposable {
  private constructor(private readonly directory: string) {}

  /** Makes the directory. */
  static async open(): Promise<Traces> {
    return new Traces(await Deno.makeTempDir());
  }

  /** What the program is to be started with. */
  get options(): StartOptions {
    return { env: { TMPDIR: this.directory } };
  }

  /** The names of the files that are left. */
  files(): string[] {
    return Array.from(Deno.readDirSync(this.directory), ({ name }) => name);
  }

  /** The command lines of the processes that are left. Only Linux tells; elsewhere there are none. */
  processes(): string[] {
    if (Deno.build.os !== "linux") return [];
    const ids = Array.from(Deno.readDirSync("/proc"), ({ name }) => name).filter(Number);
    return ids.flatMap((id) => {
      try {
        const environment = Deno.readTextFileSync(`/proc/${id}/environ`);
        if (!environment.split("\0").includes(`TMPDIR=${this.directory}`)) return [];
        return [Deno.readTextFileSync(`/proc/${id}/cmdline`).replaceAll("\0", " ")];
      } catch {
        return []; // it has ended, or belongs to another user
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}
