import { Failure } from "../../lib/failure.ts";
import type { Running } from "../support/programs.ts";
import type { Scene } from "../support/scene.ts";
import type { Timeline, Who } from "./timeline.ts";

/** One of the clients: the real program, and what it went through. */
export class Client {
  readonly #program: Running;
  #said = 0;
  #lastSaidAt = 0;
  /** The longest that it had to wait for an answer, in milliseconds. */
  longestWait = 0;

  constructor(
    scene: Scene,
    server: string,
    private readonly name: Who,
    private readonly timeline: Timeline,
  ) {
    this.#program = scene.start("client", [server]);
  }

  /** Says hello, without waiting for the answer. */
  async hello(): Promise<void> {
    this.#said++;
    this.#lastSaidAt = performance.now();
    await this.#program.write("hello\n");
  }

  /** Waits for the answer to the last hello. @throws {Failure} when it is another one */
  async answeredWith(greeting: string): Promise<void> {
    const lines = new RegExp(`^(?:.*\n){${this.#said}}`);
    const [text] = await this.#program.heard(lines, "stdout");
    this.longestWait = Math.max(this.longestWait, performance.now() - this.#lastSaidAt);
    const answer = text.trimEnd().split("\n").at(-1);
    if (answer !== greeting) {
      throw new Failure(
        `${this.name} was answered "${answer}", and should have been "${greeting}"`,
      );
    }
    this.timeline.add(this.name, `hello → ${answer}`);
  }

  /** Waits until the client itself notices that it has to wait. @throws {Failure} if it has not */
  async noticesThatItWaits(): Promise<void> {
    const waits = this.#program.heard(/Still waiting for \S+ to answer(?=.*\n)/);
    const answered = this.#program.heard(/.*\n/, "stdout");
    answered.catch(() => {});
    await Promise.race([waits, answered]);
    this.mustBeHeld();
    const [line] = await waits;
    this.timeline.add(this.name, `"${line} …"`);
  }

  /** @throws {Failure} when it was answered, refused or cut */
  mustBeHeld(): void {
    const { stdout, stderr } = this.#program;
    if (stdout !== "") throw new Failure(`${this.name} was answered, and should have been held`);
    if (/Failed|broke/.test(stderr)) throw new Failure(`${this.name} was not held: ${stderr}`);
  }

  /** Says quit, and waits for the end of the program. @returns when it was said */
  async quit(): Promise<number> {
    const saidAt = performance.now();
    await this.#program.write("quit\n");
    const { code, stderr } = await this.#program.finished();
    if (code !== 0) throw new Failure(`${this.name} ended with exit code ${code}: ${stderr}`);
    this.timeline.add(this.name, "quit → disconnected");
    return saidAt;
  }

  /** What went wrong. */
  get losses(): { refused: number; reset: number; lost: number } {
    const { stdout, stderr } = this.#program;
    const answers = stdout.split("\n").length - 1;
    return {
      refused: stderr.includes("Failed to connect") ? 1 : 0,
      reset: stderr.includes("broke") ? 1 : 0,
      lost: this.#said - answers,
    };
  }
}
