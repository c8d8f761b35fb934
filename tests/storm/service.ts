import type { ResumeResult } from "../../lib/control/api.ts";
import { commandOf, type Running } from "../support/programs.ts";
import { type Scene, succeeded } from "../support/scene.ts";
import { freePort } from "./free_port.ts";
import type { Load } from "./load.ts";
import type { Kind } from "./load/messages.ts";
import type { Random } from "./random.ts";

/** How the server of one version is started. */
const COMMANDS: Record<Kind, (port: number, version: number) => string[]> = {
  hello: (port, version) => [
    ...commandOf("server"),
    `127.0.0.1:${port}`,
    ...["--greeting", `v${version}`],
  ],
  bulk: (port, version) => [
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1"],
    ...[new URL("bulk_server.ts", import.meta.url).pathname, `${port}`, `v${version}`],
  ],
};

/** A service behind its proxy, which is replaced by its next version again and again. */
export class Service {
  readonly #drained: { readonly version: number; readonly at: number }[] = [];
  readonly #directory: string;
  #version = 1;
  #port = freePort();
  #server: Running | null = null;
  #proxy: Running | null = null;
  /** How many clients waited when it was resumed, of all upgrades. */
  held = 0;

  constructor(
    private readonly kind: Kind,
    private readonly scene: Scene,
    private readonly load: Load,
    private readonly random: Random,
  ) {
    this.#directory = `${scene.directory}/${kind}`;
  }

  /** How often it was replaced. */
  get upgrades(): number {
    return this.#version - 1;
  }

  /** Starts the first version and the proxy in front of it. @returns the port of the proxy */
  async start(): Promise<number> {
    this.#server = await this.#startServer(this.#port, 1);
    this.#proxy = this.scene.start("proxy", [
      ...["--log-format", "text", "--runtime-dir", this.#directory],
      ...["127.0.0.1:0", `127.0.0.1:${this.#port}`],
    ]);
    const [, port] = await this.#proxy.heard(/Listening on 127\.0\.0\.1:(\d+), .*, open/);
    return Number(port);
  }

  /** Replaces the server by its next version: on another port, or in one of two cases the same. */
  async upgrade(): Promise<void> {
    const { load, kind } = this;
    const version = this.#version + 1;
    await load.served(kind, this.#version);
    const port = this.random.oneIn(2) ? freePort() : this.#port;
    const [next] = await Promise.all([
      port === this.#port ? null : this.#startServer(port, version),
      this.#drain(version),
    ]);
    await stopped(`The ${kind} server`, this.#server);
    // Not before now may the next version be seen by anybody.
    await load.opening(kind, version);
    if (next !== null) {
      await this.#control("retarget", `127.0.0.1:${port}`);
      this.#server = next;
      await this.#resume();
    } else {
      [this.#server] = await Promise.all([this.#startServer(port, version), this.#resume()]);
    }
    this.#port = port;
    this.#version = version;
  }

  /** What the proxy has warned of: nothing is lost by that, but somebody may have waited for it. */
  get warnings(): string[] {
    const times = new Map<string, number>();
    for (
      const [, text = ""] of this.#proxy?.stderr.matchAll(/ \[(?:warning|error)\] (.*)/g) ?? []
    ) {
      times.set(text, (times.get(text) ?? 0) + 1);
    }
    return Array.from(
      times,
      ([text, count]) => `${count} times the proxy of ${this.kind} has said: ${text}`,
    );
  }

  /** Stops the proxy and the server, which must both end as they should. */
  async stop(): Promise<void> {
    await stopped(`The proxy of ${this.kind}`, this.#proxy);
    await stopped(`The ${this.kind} server`, this.#server);
  }

  /**
   * How long each drain took from the last active connection's close to its return.
   *
   * The close is when the load client has seen both directions of the last connection to the old
   * version end; the return is when the process of `proxyctl drain`, which has been waiting since
   * before, has ended. Both are read from the kernel's monotonic clock, see {@linkcode Load}. A
   * drain that found nobody to wait for has returned without waiting, and is left out.
   *
   * @param lastCloses for each version, by the same clock as `performance.now()` here
   */
  drainTimes(lastCloses: Record<Kind, ReadonlyMap<number, number>>): number[] {
    return this.#drained.flatMap(({ version, at }) => {
      const closed = lastCloses[this.kind].get(version);
      return closed === undefined ? [] : [at - closed];
    });
  }

  async #drain(next: number): Promise<void> {
    const { load, kind } = this;
    const drain = this.#proxyctl("drain", "--timeout", "30s", "--reason", `upgrade to v${next}`);
    // From the moment it is said that the proxy holds, nobody who comes may see the old version.
    const waits = drain.heard(/^Draining for .* [1-9]\d* active/m).then(
      () => load.holding(kind, next).then(() => true),
      () => false,
    );
    const finished = await drain.finished();
    const at = performance.now();
    succeeded("proxyctl drain", finished);
    if (await waits) this.#drained.push({ version: this.#version, at });
    else await load.holding(kind, next);
  }

  async #resume(): Promise<void> {
    const answer = await this.#control("resume", "--wait-upstream", "20s", "--json");
    const { held } = JSON.parse(answer) as ResumeResult;
    this.held += held;
  }

  async #control(...args: string[]): Promise<string> {
    return succeeded(`proxyctl ${args[0]}`, await this.#proxyctl(...args).finished()).stdout;
  }

  #proxyctl(...args: string[]): Running {
    return this.scene.start("proxyctl", ["--runtime-dir", this.#directory, ...args]);
  }

  async #startServer(port: number, version: number): Promise<Running> {
    const server = this.scene.run(COMMANDS[this.kind](port, version));
    await server.heard(/Listening on port \d+/);
    return server;
  }
}

async function stopped(what: string, program: Running | null): Promise<void> {
  program?.kill("SIGTERM");
  if (program) succeeded(what, await program.finished());
}
