import process from "node:process";
import { now } from "../../lib/linux/clock.ts";
import type { Running } from "../support/programs.ts";
import type { Scene } from "../support/scene.ts";
import type { Contender, Place } from "./contenders/contender.ts";

/** How long a contender may take to answer its first client, in milliseconds. */
const PATIENCE = 10_000;

/** A contender that runs. Disposing of it kills it, and all that it has forked. */
export class Standing implements AsyncDisposable {
  /** How long it took to answer its first client, in milliseconds. */
  startedIn = 0;
  readonly #running: Running;
  readonly #end: () => string | null;

  private constructor(readonly place: Place, running: Running) {
    this.#running = running;
    this.#end = watchEnd(running);
  }

  /**
   * Starts it.
   *
   * @param register is given it at once, while it is not ready yet
   * @param isWeb whether the service answers HTTP, and not echoes
   */
  static async start(
    scene: Scene,
    contender: Contender,
    place: Place,
    register: (standing: Standing) => void,
    isWeb: boolean,
  ): Promise<Standing> {
    const command = await contender.prepare(place);
    const started = now();
    const standing = new Standing(place, scene.run(command));
    register(standing);
    await answering(place.port, standing.#end, isWeb ? "GET / HTTP/1.0\r\n\r\n" : "e");
    standing.startedIn = now() - started;
    return standing;
  }

  get port(): number {
    return this.place.port;
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Waits until its log says this. @returns what of it matches */
  heard(pattern: RegExp): Promise<RegExpMatchArray> {
    return this.#running.heard(pattern);
  }

  /** How it has ended, if it has, and the last that it said. */
  get lastWords(): string {
    const { stdout, stderr } = this.#running;
    return this.#end() ?? `it said last: ${lastLine(stdout + stderr)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // It was started as the leader of a group; those that it forked are in it.
      process.kill(-this.pid, "SIGKILL");
    } catch { /* it has ended already */ }
    await this.#running[Symbol.asyncDispose]();
  }
}

/** Watches a program. @returns a function that tells how it has ended, once it has */
export function watchEnd(program: Running): () => string | null {
  let end: string | null = null;
  program.finished().then(({ code, signal, stdout, stderr }) => {
    end = `it ended with ${signal ?? `exit code ${code}`}: ${lastLine(stdout + stderr)}`;
  });
  return () => end;
}

/**
 * Waits until there is an answer to this.
 *
 * @param end how the program has ended, if it has
 * @throws with that, or when it takes too long
 */
export async function answering(
  port: number,
  end: () => string | null,
  request: string,
): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!await answers(port, request)) {
    if (end() !== null) throw new Error(end() ?? "");
    if (performance.now() > deadline) throw new Error(`No answer within ${PATIENCE / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

async function answers(port: number, request: string): Promise<boolean> {
  try {
    const client = await Deno.connect({ hostname: "127.0.0.1", port });
    const timer = setTimeout(() => client.close(), PATIENCE);
    try {
      await client.write(new TextEncoder().encode(request));
      return await client.read(new Uint8Array(1)) !== null;
    } finally {
      clearTimeout(timer);
      client.close();
    }
  } catch {
    return false;
  }
}
