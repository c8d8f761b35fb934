/**
 * Has a service let its clients go while a drain waits for that: by the service's own graceful stop.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type {
  DrainOutcome,
  DrainProgress,
  ReleasedResult,
  ResumeResult,
  Status,
} from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import type { Duration } from "../duration.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";

/** So that what the command says is not taken for the result. */
const TO_STDERR = 'exec /bin/sh -c "$1" >&2';

/** For how often the quiet time nobody more is to be let go before the command is run. */
const STILL = 3;

/** Whose drain it is that waits. */
export interface ReleaseOf {
  /** For `/bin/sh -c`. */
  readonly command: string;
  readonly owner: string;
  readonly proxies: readonly ControlClient[];
  /** How long it may take where no drain does that says so, in milliseconds. */
  readonly timeout: Duration;
}

/** A command that is run once, when every proxy holds and has let go of what is quiet. */
export class Release {
  readonly #of: ReleaseOf;
  readonly #holding = new Set<ControlClient>();
  /** The longest time in which one of them lets go, in milliseconds. */
  #quiet = 0;
  /** When it begins at the latest, by `performance.now()`. */
  #latest = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #child: Deno.ChildProcess | null = null;
  #begun: Promise<Failure | null> | null = null;
  #state: "waits" | "done" | "failed" | "abandoned" = "waits";

  constructor(of: ReleaseOf) {
    this.#of = of;
  }

  /** Whether the command has succeeded. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether it has failed; the drains are ended then. */
  get hasFailed(): boolean {
    return this.#state === "failed";
  }

  /** A proxy has said that it holds. */
  holds(proxy: ControlClient, { state, suspendQuietSeconds }: DrainProgress): void {
    if (this.#holding.has(proxy)) return;
    this.#holding.add(proxy);
    // One that is drained has nothing to let go of.
    const quiet = state === "drained" ? 0 : (suspendQuietSeconds ?? 0) * 1000;
    this.#quiet = Math.max(this.#quiet, quiet);
    if (this.#holding.size < this.#of.proxies.length) return;
    // It needs some of the time as well.
    const half = (this.#of.timeout ?? Infinity) / 2;
    this.#latest = performance.now() + half;
    this.#timer = setTimeout(() => void this.#beginWhenStill(), Math.min(this.#quiet, half));
  }

  /**
   * Begins once nobody more is let go: who asks without a pause is only some time after that. A
   * service that ended a connection just then would do so under a request.
   */
  async #beginWhenStill(): Promise<void> {
    let seen = NaN;
    for (let still = 0; this.#quiet > 0 && still < STILL;) {
      const left = this.#latest - performance.now();
      if (left <= 0) break;
      const all = await Promise.all(this.#of.proxies.map(lookAt));
      if (all.every(({ active }) => active === 0)) break;
      const suspended = all.reduce((sum, one) => sum + one.suspended, 0);
      // Of those who are suspended some may leave all the time.
      still = suspended <= seen ? still + 1 : 0;
      seen = suspended;
      await delay(Math.min(this.#quiet, left));
    }
    if (this.#state === "waits") await this.#begin();
  }

  /**
   * Waits for its end; runs it now if that has not been its time before.
   *
   * @returns why it is a failure
   */
  async #finish(): Promise<Failure | null> {
    if (this.#begun !== null) return await this.#begun;
    const { timeout } = this.#of;
    const late = timeout === null ? undefined : setTimeout(() => this.#end(), timeout);
    try {
      return await this.#begin();
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * The drain is decided. One that is drained may have been so before: the command runs then. If it is
   * over by another cause, nobody waits for the command any more, and it is asked to end.
   *
   * @throws {Failure} if the command has failed
   */
  async outcome({ outcome }: Pick<DrainOutcome, "outcome">): Promise<void> {
    if (outcome !== "drained" && !this.hasFailed) return this.abandon();
    const failure = await this.#finish();
    if (failure !== null) throw failure;
  }

  /** Nobody waits for it any more: it is asked to end. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#state = "abandoned";
    this.#end();
  }

  #begin(): Promise<Failure | null> {
    clearTimeout(this.#timer);
    return this.#begun ??= this.#run();
  }

  async #run(): Promise<Failure | null> {
    const { proxies, owner } = this.#of;
    try {
      await this.#runCommand();
      this.#state = "done";
      for (const proxy of proxies) {
        await proxy.json<ReleasedResult>("POST", "/v1/released", { owner });
      }
      return null;
    } catch (error) {
      if (this.#state === "abandoned") return null;
      this.#state = "failed";
      const ends = await Promise.all(proxies.map((proxy) => cancel(proxy, owner)));
      return new Failure(`${messageOf(error)}. ${ends.join(". ")}`);
    }
  }

  /** @throws {Failure} if it does not succeed */
  async #runCommand(): Promise<void> {
    try {
      this.#child = new Deno.Command("/bin/sh", {
        args: ["-c", TO_STDERR, "sh", this.#of.command],
        stdin: "null",
        stdout: "inherit",
        stderr: "inherit",
      }).spawn();
      const { code, signal } = await this.#child.status;
      if (signal !== null) throw new Failure(`The release command was ended by ${signal}`);
      if (code !== 0) throw new Failure(`The release command failed with exit code ${code}`);
    } finally {
      this.#child = null;
    }
  }

  #end(): void {
    try {
      this.#child?.kill("SIGTERM");
    } catch { /* it has just ended */ }
  }
}

/** How many are active and suspended; nobody where that cannot be known just now. */
async function lookAt(proxy: ControlClient): Promise<Pick<Status, "active" | "suspended">> {
  try {
    return await proxy.json<Status>("GET", "/v1/status");
  } catch {
    return { active: 0, suspended: 0 };
  }
}

/** @returns what became of that */
async function cancel(proxy: ControlClient, owner: string): Promise<string> {
  try {
    for (;;) {
      const result = await proxy.json<ResumeResult>("POST", "/v1/resume", { owner });
      // That belonged to a drain which was refused.
      if (!result.absorbed) return `The drain was cancelled: ${result.message}`;
    }
  } catch (error) {
    return `The drain could not be cancelled: ${messageOf(error)}`;
  }
}
