/**
 * Starts the real programs as processes, from source or, with `$EXECUTABLES` naming a directory,
 * the compiled ones.
 *
 * @module
 */

import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { PATIENCE } from "./patience.ts";

const root = new URL("../../", import.meta.url).pathname;

/**
 * The command that starts a program, as a list of words.
 *
 * @param executables the directory of the compiled ones, if it is to be one of those
 * @param sources of which version, if it is not to be this one
 */
export function commandOf(
  name: keyof typeof PROGRAMS,
  executables: string | undefined = Deno.env.get("EXECUTABLES"),
  sources: string = root,
): [string, ...string[]] {
  const program: Program = PROGRAMS[name];
  if (executables !== undefined) return [`${executables}/${program.executable}`];
  return [Deno.execPath(), "run", "--quiet", ...program.permissions, `${sources}${program.script}`];
}

/** What a finished program left behind. */
export interface Finished {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is started. */
export interface StartOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Words before the program's own command: `["systemd-socket-activate", "-l", "0"]`. */
  readonly through?: readonly string[];
  /** The directory of the compiled programs, if it is to be one of those. */
  readonly executables?: string;
  /** Out of reach of the terminal, so that a Ctrl-C there reaches only who started it. */
  readonly detached?: boolean;
}

/** A running program, with all it has said so far. Disposing of it kills it. */
export class Running implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #heard: { out: string; err: string } = { out: "", err: "" };
  readonly #readers: Promise<unknown>;
  #listeners: (() => void)[] = [];
  #ended = false;

  /** Starts any command. */
  constructor(command: readonly string[], options: StartOptions = {}) {
    const [file = "", ...args] = command;
    this.#process = new Deno.Command(file, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(options.env && { env: options.env }),
      ...(options.cwd && { cwd: options.cwd }),
      ...(options.detached && { detached: true }),
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#readers = Promise.all([
      this.#read(this.#process.stdout, "out"),
      this.#read(this.#process.stderr, "err"),
    ]);
    this.#readers.then(() => {
      this.#ended = true;
      this.#tell();
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** All of stdout so far. */
  get stdout(): string {
    return this.#heard.out;
  }

  /** All of stderr so far. */
  get stderr(): string {
    return this.#heard.err;
  }

  /** Forgets the whole lines that it has said so far. */
  forget(): void {
    for (const stream of ["out", "err"] as const) {
      const all = this.#heard[stream];
      this.#heard[stream] = all.slice(all.lastIndexOf("\n") + 1);
    }
  }

  /** Writes to the program's stdin. */
  async write(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(text));
  }

  /** Ends the program's stdin. */
  async closeStdin(): Promise<void> {
    await this.#stdin.close();
  }

  kill(signal: Deno.Signal = "SIGTERM"): void {
    try {
      this.#process.kill(signal);
    } catch { /* it has ended already */ }
  }

  /**
   * Waits until stdout or stderr matches.
   *
   * @throws when the program ends, or {@linkcode PATIENCE} passes, without that
   */
  async heard(pattern: RegExp, stream: "stdout" | "stderr" = "stderr"): Promise<RegExpExecArray> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      const left = deadline - performance.now();
      if (this.#ended || left <= 0) {
        const what = this.#ended ? "ended" : `went on for ${PATIENCE} ms`;
        throw new Error(
          `The program ${what} without ${pattern} on ${stream}:\n${this.stdout}\n${this.stderr}`,
        );
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve);
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Waits until the program has ended, whoever may go on to hold what it said open. */
  async ended(): Promise<number> {
    return (await this.#process.status).code;
  }

  /** Waits until the program has ended and all it said has arrived. */
  async finished(): Promise<Finished> {
    const { code, signal } = await this.#process.status;
    await this.#readers;
    return { code, signal, stdout: this.stdout, stderr: this.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.#stdin.abort().catch(() => {});
    await this.#process.status;
    await this.#readers.catch(() => {});
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, to: "out" | "err"): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#heard[to] += text;
      this.#tell();
    }
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** Starts one of the four programs. */
export function start(
  name: keyof typeof PROGRAMS,
  args: readonly string[],
  options: StartOptions = {},
): Running {
  const command = commandOf(name, options.executables);
  return new Running([...options.through ?? [], ...command, ...args], options);
}

/** Runs one of the four programs to its end, with this as its stdin. */
export async function complete(
  name: keyof typeof PROGRAMS,
  args: readonly string[],
  options: StartOptions & { readonly input?: string } = {},
): Promise<Finished> {
  await using program = start(name, args, options);
  await program.write(options.input ?? "").catch(() => {});
  await program.closeStdin().catch(() => {});
  return await program.finished();
}
