import { join } from "node:path";
import { Running } from "../../../support/programs.ts";
import type { Manager } from "./manager.ts";

/** A supervisord of its own. */
export class Supervisord implements Manager {
  readonly processType = "supervisord-program";
  readonly through = [];
  readonly properties: Record<string, string>;

  private constructor(private readonly daemon: Running, programs: string) {
    this.properties = { supervisordTargetDir: programs };
  }

  /** What it needs. */
  static readonly commands = ["supervisord", "supervisorctl"];

  /** Why it cannot run although they are there. */
  static whyNot(): string | null {
    return null;
  }

  /** @param directory its configuration is put there, for supervisorctl, which looks where it is called */
  static async start(directory: string): Promise<Manager> {
    const programs = join(directory, "conf.d");
    await Deno.mkdir(programs);
    const config = join(directory, "supervisord.conf");
    await Deno.writeTextFile(
      config,
      `[unix_http_server]
file=${directory}/supervisor.sock
[supervisord]
logfile=${directory}/supervisord.log
pidfile=${directory}/supervisord.pid
childlogdir=${directory}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${directory}/supervisor.sock
[include]
files=${programs}/*.conf
`,
    );
    const daemon = new Running(["supervisord", "--nodaemon", "--configuration", config]);
    await daemon.heard(/supervisord started/, "stdout");
    return new Supervisord(daemon, programs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.daemon.kill("SIGTERM");
    await this.daemon.finished();
  }
}
