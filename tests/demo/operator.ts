import type { Status } from "../../lib/control/api.ts";
import type { Running } from "../support/programs.ts";
import { type Scene, succeeded } from "../support/scene.ts";
import type { Timeline } from "./timeline.ts";

/** The one who runs proxyctl. */
export class Operator {
  constructor(private readonly scene: Scene, private readonly timeline: Timeline) {}

  /** Runs a command, which is shown, to its end; shows and returns what it prints. */
  async run(...args: string[]): Promise<string> {
    return await this.result(this.begin(...args));
  }

  /** Begins a command, which is shown. */
  begin(...args: string[]): Running {
    this.timeline.add("proxyctl", `$ proxyctl ${args.map(quoted).join(" ")}`);
    return this.scene.start("proxyctl", ["--runtime-dir", this.scene.directory, ...args]);
  }

  /** Waits for the end of a command; shows and returns what it printed. @throws if it failed */
  async result(command: Running): Promise<string> {
    const { stdout } = succeeded("proxyctl", await command.finished());
    this.timeline.add("proxyctl", stdout.trim());
    return stdout;
  }

  /** What `proxyctl status --json` says; not shown. */
  async status(): Promise<Status> {
    const args = ["--runtime-dir", this.scene.directory, "status", "--json"];
    return JSON.parse((await this.scene.complete("proxyctl", args)).stdout);
  }
}

function quoted(word: string): string {
  return word.includes(" ") ? `"${word}"` : word;
}
