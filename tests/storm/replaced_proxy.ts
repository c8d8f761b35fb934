import { commandOf, type Running } from "../support/programs.ts";
import { type Scene, succeeded } from "../support/scene.ts";
import type { HeldSocket } from "./held_socket.ts";
import type { Random } from "./random.ts";

/** How often proxies were replaced, and how; and how many connections moved with that. */
export interface Replacements {
  readonly takenOver: number;
  readonly parked: number;
  readonly killed: number;
  readonly moved: number;
}

/** How many threads a proxy may have. */
const THREADS = [1, 2] as const;

/** What such a proxy is made of. */
export interface ReplacedProxyParts {
  readonly scene: Scene;
  /** Its runtime directory. */
  readonly directory: string;
  readonly random: Random;
  /** If it is passed one, instead of listening by itself. */
  readonly socket: HeldSocket | null;
  /** How many threads it has; `undefined` for one or two, by chance. */
  readonly threads: number | undefined;
  readonly suspendQuiet: string;
}

/** A proxy that may be replaced by the next process again and again. */
export class ReplacedProxy {
  readonly #all: Running[] = [];
  #listen: string;
  #counts = { takenOver: 0, parked: 0, killed: 0, moved: 0 };

  constructor(private readonly parts: ReplacedProxyParts) {
    this.#listen = parts.socket?.address ?? "127.0.0.1:0";
  }

  /** How often it was replaced so far. */
  get replacements(): Replacements {
    return this.#counts;
  }

  /** All that these processes have said on stderr. */
  get said(): string {
    return this.#all.map(({ stderr }) => stderr).join("");
  }

  /** Starts it, open or, where it is on record, drained. @returns its port */
  async start(upstream: string): Promise<number> {
    const proxy = this.#launch(upstream);
    const [, address = "", port] = await proxy.heard(/Listening on (\S+:(\d+))[ ,]/);
    this.#listen = address;
    return Number(port);
  }

  /** Has another process take over from it, with all its connections. */
  async takeOver(upstream: string): Promise<void> {
    const before = this.#current;
    const next = this.#launch(upstream);
    const [, moved] = await next.heard(/Took over from .*: (\d+) connections/);
    await next.heard(/Listening on /);
    succeeded("The proxy before", await before.finished());
    this.#counts.takenOver++;
    this.#counts.moved += Number(moved);
  }

  /**
   * Ends the process, which is drained: killed where somebody else holds its socket, else parked and
   * stopped. {@linkcode start} goes on.
   */
  async leave(): Promise<void> {
    const proxy = this.#current;
    const { scene, directory, socket } = this.parts;
    if (socket !== null) {
      proxy.kill("SIGKILL");
      await proxy.finished();
      this.#counts.killed++;
      return;
    }
    await scene.complete("proxyctl", ["--runtime-dir", directory, "park"]);
    await this.stop();
    this.#counts.parked++;
  }

  /** Stops its process, as a machine does that sleeps, and lets it go on after so many milliseconds. */
  async standStill(time: number): Promise<void> {
    this.#current.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, time));
    this.#current.kill("SIGCONT");
  }

  /** Stops it, and waits until it has ended as it should. */
  async stop(): Promise<void> {
    this.#current.kill("SIGTERM");
    succeeded("The proxy", await this.#current.finished());
  }

  get #current(): Running {
    return this.#all.at(-1) as Running;
  }

  #launch(upstream: string): Running {
    const { scene, directory, random, socket, suspendQuiet } = this.parts;
    const { threads = random.between(...THREADS) } = this.parts;
    const command = [
      ...commandOf("proxy"),
      ...["--log-format", "text", "--runtime-dir", directory],
      ...["--threads", `${threads}`, "--takeover", "always", "--suspend-quiet", suspendQuiet],
      ...[this.#listen, upstream],
    ];
    const proxy = scene.run(socket?.passedTo(command) ?? command);
    this.#all.push(proxy);
    return proxy;
  }
}
