import type { Status } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { messageOf } from "../message_of.ts";
import { setTimeout as delay } from "node:timers/promises";
import { within } from "../within.ts";
import { tell } from "./output.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** How long a proxy may take to notice that nobody waits any more, in milliseconds. */
const NOTICED_WITHIN = 2000;

/** How long it may take to say how many are held before that, in milliseconds. */
const COUNTED_WITHIN = 500;

/** How soon it is looked at again meanwhile, in milliseconds. */
const PAUSE = 20;

/** Hears of Ctrl-C, and of being told to end, while somebody waits for a drain. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners = SIGNALS.map((signal) => [signal, () => this.#hear(signal)] as const);
  #by: Deno.Signal | null = null;
  /** How many clients waited; `null` if that is not known. */
  #held: number | null = null;

  /** @param proxies those that are drained */
  constructor(private readonly proxies: readonly ControlClient[]) {
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /** Whether there is one; the waiting goes on for a moment. */
  get isHeard(): boolean {
    return this.#by !== null;
  }

  /** Ends the waiting. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Tells what has become of the drain now that nobody waits for it here, and ends this process as
   * the signal would have.
   */
  async end(): Promise<never> {
    tell(`proxyctl: ${await whatBecame(this.proxies, this.#held)}`);
    this[Symbol.dispose]();
    Deno.kill(Deno.pid, this.#by ?? "SIGTERM");
    return await new Promise(() => setTimeout(() => Deno.exit(1), NOTICED_WITHIN));
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #hear(signal: Deno.Signal): void {
    const again = this.#by !== null;
    this.#by ??= signal;
    if (again) this.#controller.abort();
    else void this.#count().finally(() => this.#controller.abort());
  }

  /** Asked before: once the proxy is open, nobody is held any more. */
  async #count(): Promise<void> {
    const statuses = Promise.all(this.proxies.map((proxy) => statusOf(proxy))).catch(() => []);
    const seen = await within(statuses, COUNTED_WITHIN) ?? [];
    const counts = seen.map(({ queued }) => queued).filter((queued) => queued !== null);
    const isKnown = counts.length === this.proxies.length;
    this.#held = isKnown ? counts.reduce((sum, count) => sum + count, 0) : null;
  }
}

function statusOf(proxy: ControlClient): Promise<Status> {
  return proxy.json<Status>("GET", "/v1/status");
}

/** @param held how many clients waited; `null` if that is not known */
async function whatBecame(
  proxies: readonly ControlClient[],
  held: number | null,
): Promise<string> {
  const deadline = performance.now() + NOTICED_WITHIN;
  try {
    for (;;) {
      const statuses = await Promise.all(proxies.map(statusOf));
      const drained = statuses.find(({ state }) => state !== "open");
      if (drained === undefined) return `Cancelled: open again${heldText(held)}`;
      if (performance.now() > deadline) {
        const { state, owner, active } = drained;
        const whose = owner === null ? "" : ` for "${owner}"`;
        return `Waits no more; the drain goes on${whose}: ${state}, ${active} active`;
      }
      await delay(PAUSE);
    }
  } catch (error) {
    return `Cancelled; how the proxy is now is not known: ${messageOf(error)}`;
  }
}

function heldText(held: number | null): string {
  if (held === null) return "";
  if (held === 0) return ", nobody was held";
  return held === 1 ? ", 1 client was held" : `, ${held} clients were held`;
}
