import { Running } from "../support/programs.ts";

/** How a side stops to take part. */
export type Failing = "dies" | "hangs up" | "falls silent";

/** The command of a process that takes part in a handover, up to some step. */
export function peerCommand(
  role: "receiver" | "giver",
  directory: string,
  steps: number,
  port = 0,
  connections = 0,
): string[] {
  const script = new URL("peer_process.ts", import.meta.url).pathname;
  const args = [role, directory, `${steps}`, `${port}`, `${connections}`];
  return [Deno.execPath(), "run", "--no-check", "--quiet", "--allow-all", script, ...args];
}

/** One side of a handover that stops at some step. */
export class FailingPeer extends Running {
  constructor(role: "receiver" | "giver", directory: string, steps: number, port = 0) {
    super(peerCommand(role, directory, steps, port));
  }

  /** Fails, once it has reached its step. */
  async fail(how: Failing): Promise<void> {
    await this.heard(/reached/, "stdout");
    if (how === "dies") this.kill("SIGKILL");
    else if (how === "falls silent") this.kill("SIGSTOP");
    else await this.closeStdin();
  }
}
