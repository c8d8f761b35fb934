import { Failure } from "../../lib/failure.ts";
import type { Running } from "../support/programs.ts";
import type { Scene } from "../support/scene.ts";
import { type Answer, GO_ON, type Order, type Tasks } from "./load/protocol.ts";

/** The command of a script beside this one. */
export function script(name: string): readonly string[] {
  const path = new URL(name, import.meta.url).pathname;
  return [Deno.execPath(), "run", "--quiet", "--allow-all", path];
}

/** A task that is being done. */
export interface Ongoing<Done> {
  /**
   * Waits until everything is in place; for tasks that tell.
   *
   * @throws {Failure} when it failed
   */
  ready(): Promise<void>;
  /** Tells a task that waits for it to go on. */
  goOn(): Promise<void>;
  /**
   * Waits for what comes of it.
   *
   * @throws {Failure} when it failed
   */
  done(): Promise<Done>;
}

/** A process that is the clients, and does one task at a time. */
export class LoadProcess {
  readonly #scene: Scene;
  #process: Running | null = null;
  #orders = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Has a task done that needs nobody. */
  async do<Kind extends keyof Tasks>(
    kind: Kind,
    task: Tasks[Kind]["task"],
  ): Promise<Tasks[Kind]["done"]> {
    return await (await this.begin(kind, task)).done();
  }

  /** Gives a task. */
  async begin<Kind extends keyof Tasks>(
    kind: Kind,
    task: Tasks[Kind]["task"],
  ): Promise<Ongoing<Tasks[Kind]["done"]>> {
    const number = ++this.#orders;
    const running = this.#process ??= this.#scene.run(script("load/load.ts"));
    const order: Order = { number, kind, task };
    // If it is gone, that is told where the answer is awaited.
    await running.write(`${JSON.stringify(order)}\n`).catch(() => {});
    const answer = async (key: "ready" | "done") => {
      const line = new RegExp(`^{"number":${number},"(?:${key}|failed)":.*$`, "m");
      const [text] = await this.#heard(running, line);
      const answer = JSON.parse(text) as Answer;
      if ("failed" in answer) throw new Failure(answer.failed);
      return answer;
    };
    return {
      ready: async () => void await answer("ready"),
      goOn: () => running.write(`${GO_ON}\n`).catch(() => {}),
      done: async () => (await answer("done") as { done: Tasks[Kind]["done"] }).done,
    };
  }

  async #heard(running: Running, line: RegExp): Promise<RegExpExecArray> {
    try {
      return await running.heard(line, "stdout");
    } catch (error) {
      // It hangs in this task, or is gone; the next one gets another process.
      if (this.#process === running) this.#process = null;
      await running[Symbol.asyncDispose]();
      const said = running.stderr.trim();
      throw new Failure(said === "" ? "The clients did not get anywhere" : said, 1, {
        cause: error,
      });
    }
  }
}
