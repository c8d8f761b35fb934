import type { ResumeResult } from "../../lib/control/api.ts";
import { commandOf, type Running } from "../support/programs.ts";
import { type Scene, succeeded } from "../support/scene.ts";
import { freePort } from "../support/free_port.ts";
import type { Load } from "./load.ts";
import type { Kind } from "./load/messages.ts";
import type { HeldSocket } from "./held_socket.ts";
import type { Random } from "./random.ts";
import { ReplacedProxy, type Replacements } from "./replaced_proxy.ts";

function greeter(port: number, version: number): string[] {
  return [...commandOf("server"), `127.0.0.1:${port}`, "--greeting", `v${version}`];
}

/** How the server of one version is started. */
const COMMANDS: Record<Kind, (port: number, version: number) => string[]> = {
  hello: greeter,
  activated: greeter,
  staying: greeter,
  bulk: (port, version) => [
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1"],
    ...[new URL("bulk_server.ts", import.meta.url).pathname, `${port}`, `v${version}`],
  ],
};

/** How often a proxy is taken over from while one version of its service runs. */
const TAKEOVERS = [1, 3] as const;

/**
 * For how long clients must be silent for that service to be let go whose clients stay: far longer
 * than the server needs from one line to the next, on a busy machine as well.
 */
const SUSPEND_QUIET = "250ms";

/** What a service is made of. */
export interface ServiceParts {
  readonly kind: Kind;
  readonly scene: Scene;
  readonly load: Load;
  readonly random: Random;
  /** Whether its proxy is replaced as well. */
  readonly replaceProxy: boolean;
  /** How many threads its proxy has; `undefined` for one or two, by chance. */
  readonly threads: number | undefined;
  /** Before which upgrade its proxy is stopped, and for how long, in milliseconds. */
  readonly standstill: { readonly before: number; readonly time: number };
  /** For its proxy, if that is not to listen by itself. */
  readonly socket: HeldSocket | null;
}

/** A service behind its proxy, which is replaced by its next version again and again. */
export class Service {
  readonly #drained: { readonly version: number; readonly at: number }[] = [];
  readonly #directory: string;
  #version = 1;
  #port = freePort();
  #server: Running | null = null;
  readonly #proxy: ReplacedProxy;
  /** How many clients waited when it was resumed, of all upgrades. */
  held = 0;

  constructor(private readonly parts: ServiceParts) {
    const { scene, kind, random, socket, threads } = parts;
    this.#directory = `${scene.directory}/${kind}`;
    this.#proxy = new ReplacedProxy({
      ...{ scene, directory: this.#directory, random: random.fork(), socket, threads },
      suspendQuiet: kind === "staying" ? SUSPEND_QUIET : "none",
    });
  }

  /** Which it is. */
  get kind(): Kind {
    return this.parts.kind;
  }

  /** How often it was replaced. */
  get upgrades(): number {
    return this.#version - 1;
  }

  /** Starts the first version and the proxy in front of it. @returns the port of the proxy */
  async start(): Promise<number> {
    this.#server = await this.#startServer(this.#port, 1);
    return await this.#proxy.start(this.#upstream);
  }

  /** How often its proxy was replaced. */
  get replacements(): Replacements {
    return this.#proxy.replacements;
  }

  /** Replaces the server by its next version: on another port, or in one of two cases the same. */
  async upgrade(): Promise<void> {
    const { load, kind, random, replaceProxy, standstill } = this.parts;
    const version = this.#version + 1;
    await load.served(kind, this.#version);
    if (standstill.time > 0 && standstill.before === this.#version) {
      await this.#proxy.standStill(standstill.time);
    }
    const port = random.oneIn(2) ? freePort() : this.#port;
    if (replaceProxy) {
      await this.#moveConnections();
      await this.#upgradeBoth(port, version);
    } else {
      await this.#upgradeServer(port, version);
    }
    this.#version = version;
  }

  /** The proxy goes on. */
  async #upgradeServer(port: number, version: number): Promise<void> {
    const { load, kind } = this.parts;
    const [next] = await Promise.all([
      port === this.#port ? null : this.#startServer(port, version),
      this.#drain(version),
    ]);
    await stopped(`The ${kind} server`, this.#server);
    // Not before now may the next version be seen by anybody.
    await load.opening(kind, version);
    if (next !== null) {
      await this.#control("retarget", `localhost:${port}`);
      this.#server = next;
      await this.#resume();
    } else {
      [this.#server] = await Promise.all([this.#startServer(port, version), this.#resume()]);
    }
    this.#port = port;
  }

  /** The process of the proxy ends while it is drained, and another one knows where to go. */
  async #upgradeBoth(port: number, version: number): Promise<void> {
    const { load, kind } = this.parts;
    await this.#drain(version);
    await this.#proxy.leave();
    await stopped(`The ${kind} server`, this.#server);
    await load.opening(kind, version);
    this.#port = port;
    [this.#server] = await Promise.all([
      this.#startServer(port, version),
      this.#proxy.start(this.#upstream),
    ]);
    await this.#resume();
  }

  /** Process after process of the proxy takes over, with all connections as they are. */
  async #moveConnections(): Promise<void> {
    const { load, kind, random } = this.parts;
    for (let left = random.between(...TAKEOVERS); left > 0; left--) {
      await load.moving(kind, true);
      await this.#proxy.takeOver(this.#upstream);
      await load.moving(kind, false);
    }
  }

  /**
   * What the proxy has warned of: nothing is lost by that, but somebody may have waited for it. That
   * it starts drained is what is wanted here.
   */
  get warnings(): string[] {
    const times = new Map<string, number>();
    for (
      const [, text = ""] of this.#proxy.said.matchAll(
        / \[(?:warning|error)\] (?!.*: Still drained by)(.*)/g,
      )
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
    await this.#proxy.stop();
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

  /** By name, as Disnix gives it. */
  get #upstream(): string {
    return `localhost:${this.#port}`;
  }

  async #drain(next: number): Promise<void> {
    const { load, kind } = this.parts;
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
    return this.parts.scene.start("proxyctl", ["--runtime-dir", this.#directory, ...args]);
  }

  async #startServer(port: number, version: number): Promise<Running> {
    const server = this.parts.scene.run(COMMANDS[this.kind](port, version));
    await server.heard(/Listening on port \d+/);
    return server;
  }
}

async function stopped(what: string, program: Running | null): Promise<void> {
  program?.kill("SIGTERM");
  if (program) succeeded(what, await program.finished());
}
