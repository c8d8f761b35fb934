import { Failure } from "../../lib/failure.ts";
import type { PROGRAMS } from "../../lib/packaging/programs.ts";
import { commandOf, type Finished, Running } from "./programs.ts";

/** How often it is tried to remove the directory. */
const REMOVALS = 10;

/**
 * Programs that play together, and a temporary directory for their files. When it is disposed of
 * all of them are gone, at whatever point that is.
 */
export class Scene implements AsyncDisposable {
  readonly #running = new Set<Running>();
  #over = false;

  private constructor(readonly directory: string) {}

  /** Makes the directory. */
  static async open(): Promise<Scene> {
    return new Scene(await Deno.makeTempDir({ prefix: "disnix-tcp-proxy-" }));
  }

  /** Starts one of the four programs. */
  start(name: keyof typeof PROGRAMS, args: readonly string[]): Running {
    return this.run([...commandOf(name), ...args]);
  }

  /** Starts any command. */
  run(command: readonly string[]): Running {
    if (this.#over) throw new Error("The scene is over");
    const running = new Running(command, { detached: true });
    this.#running.add(running);
    // One that has ended is let go at once: a long play has hundreds of them.
    running.finished().then(() => this.#dismiss(running), () => {});
    return running;
  }

  /**
   * Runs one of the four programs to its end.
   *
   * @throws {Failure} with what it said, unless it succeeds
   */
  async complete(name: keyof typeof PROGRAMS, args: readonly string[]): Promise<Finished> {
    return succeeded(`${name} ${args.join(" ")}`, await this.start(name, args).finished());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await Promise.all([...this.#running].map((running) => this.#dismiss(running)));
    // Whoever is interrupted may be about to make something in it.
    for (let tries = 1;; tries++) {
      try {
        return await Deno.remove(this.directory, { recursive: true });
      } catch (error) {
        if (tries === REMOVALS) throw error;
      }
    }
  }

  async #dismiss(running: Running): Promise<void> {
    await running[Symbol.asyncDispose]();
    this.#running.delete(running);
  }
}

/**
 * Passes on what a program left behind that succeeded.
 *
 * @throws {Failure} with what it said, if it did not
 */
export function succeeded(what: string, finished: Finished): Finished {
  const { code, signal, stdout, stderr } = finished;
  if (code === 0) return finished;
  const how = signal === null ? `exit code ${code}` : signal;
  throw new Failure(`${what} ended with ${how}: ${`${stdout}${stderr}`.trim()}`);
}
