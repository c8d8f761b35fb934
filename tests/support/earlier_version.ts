import type { StartOptions } from "./programs.ts";
import { madeOnce } from "./made_once.ts";

const root = new URL("../../", import.meta.url).pathname;

async function git(...args: string[]): Promise<boolean> {
  const command = new Deno.Command("git", {
    args: ["-C", root, ...args],
    stdout: "null",
    stderr: "null",
  });
  return (await command.output().catch(() => null))?.success ?? false;
}

/** The sources of an earlier version, from which the programs can be started. */
export class EarlierVersion {
  private constructor(private readonly directory: string) {}

  /** Why there are none of this commit here; `null` if there are. */
  static async whyNot(commit: string): Promise<string | null> {
    const isThere = await git("cat-file", "-e", `${commit}^{commit}`);
    return isThere ? null : `no commit ${commit}`;
  }

  /** Takes them out of the repository: once, so that Deno need not read them anew for each test. */
  static async of(commit: string): Promise<EarlierVersion> {
    return new EarlierVersion(
      await madeOnce(`sources-${commit}`, async (directory) => {
        const archive = `${directory}/archive.tar`;
        await git("archive", "--output", archive, commit);
        const { success } = await new Deno.Command("tar", {
          args: ["-xf", archive, "-C", directory],
        }).output();
        if (!success) throw new Error(`Failed to take commit ${commit} out of the repository`);
      }),
    );
  }

  /** Has a program started from these sources instead. */
  get options(): Pick<StartOptions, "through"> {
    const script = `old=$0; for word do
      shift
      case $word in "${root}"*.ts) word=$old/\${word##*/} ;; esac
      set -- "$@" "$word"
    done
    exec "$@"`;
    return { through: ["sh", "-c", script, this.directory] };
  }

  /** Whether a process was started from these sources. */
  async isOf(pid: number): Promise<boolean> {
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`)).includes(this.directory);
  }
}
