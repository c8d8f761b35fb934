import type { Status } from "../control/api.ts";
import { hasServiceManager, tellServiceManager } from "./tell_service_manager.ts";

/** How often it is looked whether there is something new to say while not open, in milliseconds. */
const EVERY = 1000;

/** What a service manager is told. */
export type Told = Pick<Status, "state" | "active" | "queued">;

/**
 * Tells the service manager how the proxy is doing, in words that `systemctl status` shows:
 * `draining, 3 active, 4 queued`. While open nothing is counted: it would change all the time.
 */
export class ServiceStatus {
  #said = "";
  #stopping = false;
  #timer: ReturnType<typeof setInterval> | null = null;

  /**
   * @param look how the proxy is doing; `null` once it is another process's
   * @param tell tells the service manager; `null` if there is none, so that there is nothing to do
   */
  constructor(
    private readonly look: () => Told | null,
    private readonly tell: ((text: string) => void) | null = hasServiceManager() ? tellText : null,
  ) {}

  /** Something may have changed. */
  update(): void {
    if (this.tell === null) return;
    const now = this.look();
    if (now === null) return this.#rest();
    const { active, queued } = now;
    const state = this.#stopping ? "stopping" : now.state;
    if (state === "open") this.#rest();
    else this.#watch();
    const counted = [`${active} active`, ...queued === null ? [] : [`${queued} queued`]];
    const text = state === "open" ? "open" : [state, ...counted].join(", ");
    if (text === this.#said) return;
    this.#said = text;
    this.tell(text);
  }

  /** The proxy stops: whoever is still there is waited for. */
  stopping(): void {
    this.#stopping = true;
    this.update();
  }

  /** Looks no more by itself. */
  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.update(), EVERY);
    // It is no reason for the process to go on.
    Deno.unrefTimer(Number(this.#timer));
  }
}

function tellText(text: string): void {
  void tellServiceManager({ state: "status", text });
}
