import type { Scene } from "../support/scene.ts";
import { freePort } from "../support/free_port.ts";
import type { Contender } from "./contenders/contender.ts";
import { LoadProcess, script } from "./load_process.ts";
import { Standing } from "./standing.ts";

/** What a row measures: a port to connect to, and the process behind it, if it is a proxy. */
export interface Target {
  readonly port: number;
  readonly pid: number | null;
}

/** Where rows find what they need: contenders that run, the service behind them, the load. */
export class Stage implements AsyncDisposable {
  readonly load: LoadProcess;
  /** Clients in another process, for what is to be in the way of those in {@linkcode load}. */
  readonly otherLoad: LoadProcess;
  readonly #scene: Scene;
  /** Each contender has a port of the service of its own, so that none uses up another's ports. */
  readonly #servicePorts = new Map<Contender, number>();
  readonly #standing = new Map<Contender, Standing>();
  readonly #started = new Set<Standing>();
  #directories = 0;

  private constructor(scene: Scene) {
    this.#scene = scene;
    this.load = new LoadProcess(scene);
    this.otherLoad = new LoadProcess(scene);
  }

  /** Starts the service. */
  static async open(scene: Scene, contenders: readonly Contender[]): Promise<Stage> {
    const stage = new Stage(scene);
    for (const contender of contenders) stage.#servicePorts.set(contender, freePort());
    const ports = Array.from(stage.#servicePorts.values(), String);
    await scene.run([...script("load/service.ts"), ...ports]).heard(/^Listening$/m, "stdout");
    return stage;
  }

  /** A contender that runs until the row is over. */
  async target(contender: Contender): Promise<Target> {
    if (contender.kind === "direct") return { port: this.#servicePort(contender), pid: null };
    let standing = this.#standing.get(contender);
    if (standing === undefined) {
      standing = await this.start(contender);
      this.#standing.set(contender, standing);
    }
    return { port: standing.port, pid: standing.pid };
  }

  /**
   * Starts a contender of its own, which has answered one client when this resolves.
   *
   * @param upstreamPort another service than that of the benchmark; it answers HTTP
   */
  async start(contender: Contender, upstreamPort?: number): Promise<Standing> {
    const place = {
      port: freePort(),
      upstreamPort: upstreamPort ?? this.#servicePort(contender),
      directory: await this.directory(),
    };
    const register = (standing: Standing) => void this.#started.add(standing);
    return await Standing.start(
      this.#scene,
      contender,
      place,
      register,
      upstreamPort !== undefined,
    );
  }

  /** How a contender has ended that should run until the row is over, or what it said last. */
  lastWords(contender: Contender): string | null {
    return this.#standing.get(contender)?.lastWords ?? null;
  }

  /** A new directory, which is removed in the end. */
  async directory(): Promise<string> {
    const path = `${this.#scene.directory}/${++this.#directories}`;
    await Deno.mkdir(path);
    return path;
  }

  /** Starts something else, which ends with the benchmark, or when it is disposed of. */
  run(command: readonly string[]) {
    return this.#scene.run(command);
  }

  /** Ends what was started for a row. */
  async clear(): Promise<void> {
    const started = [...this.#started];
    this.#started.clear();
    this.#standing.clear();
    await Promise.all(started.map((standing) => standing[Symbol.asyncDispose]()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.clear();
  }

  #servicePort(contender: Contender): number {
    return this.#servicePorts.get(contender) ?? 0;
  }
}
