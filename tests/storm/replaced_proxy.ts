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

/** A proxy that may be replaced by the next process again and again. */
export class ReplacedProxy {
  readonly #all: Running[] = [];
  #listen: string;
  #counts = { takenOver: 0, parked: 0, killed: 0, moved: 0 };

  /**
   * @param directory its runtime directory
   * @param socket if it is passed one, instead of listening by itself
   */
  constructor(
    private readonly scene: Scene,
    private readonly directory: string,
    private readonly random: Random,
    private readonly socket: HeldSocket | null,
  ) {
    this.#listen = socket?.address ?? "127.0.0.1:0";
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
    if (this.socket !== null) {
      proxy.kill("SIGKILL");
      await proxy.finished();
      this.#counts.killed++;
      return;
    }
    await this.scene.complete("proxyctl", ["--runtime-dir", this.directory, "park"]);
    await this.stop();
    this.#counts.parked++;
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
    const command = [
      ...commandOf("proxy"),
      ...["--log-format", "text", "--runtime-dir", this.directory],
      ...["--threads", `${this.random.between(...THREADS)}`],
      ...[this.#listen, upstream],
    ];
    const proxy = this.scene.run(this.socket?.passedTo(command) ?? command);
    this.#all.push(proxy);
    return proxy;
  }
}
