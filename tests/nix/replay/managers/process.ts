import { join } from "node:path";
import { until } from "../../../support/until.ts";
import type { Manager } from "./manager.ts";

/** No process manager: each process has a PID file. */
export class Processes implements Manager {
  readonly processType = "process";
  readonly through = [];
  readonly properties = {};

  private constructor(private readonly directory: string) {}

  /** What it needs. */
  static readonly commands = ["daemon"];

  /** Why it cannot run although they are there. */
  static whyNot(): string | null {
    return null;
  }

  /** @param directory where `run` is, with the PID files */
  static start(directory: string): Promise<Manager> {
    return Promise.resolve(new Processes(join(directory, "run")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of files(this.directory)) {
      if (name.endsWith(".pid")) await end(join(this.directory, name));
    }
  }
}

/** Ends a daemon, which removes its PID file when its process is gone. */
async function end(file: string): Promise<void> {
  const read = () => Deno.readTextFile(file).catch(() => "");
  const pid = Number(await read());
  const command = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
  if (!command.includes(file)) return;
  Deno.kill(pid, "SIGTERM");
  await until(read, (text) => text === "");
}

function files(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch {
    return [];
  }
}
