/**
 * Gives everything to a process that takes over, or to a keeper.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import type { Drain } from "../drain.ts";
import type { Estate, Given } from "../handover/giver.ts";
import { type Asker, HandoverListener, type HandoverSocket } from "../handover/listener.ts";
import type { Kind } from "../handover/messages.ts";
import { KeeperLink } from "../keeper/link.ts";
import type { EpollRelay } from "../relay/epoll/relay.ts";
import type { Log } from "./log.ts";

/** What is to be given. */
export interface SuccessionParts {
  /** Where whoever takes over is waited for. */
  readonly socket: HandoverSocket;
  /** The descriptor of the lock on the directory. */
  readonly lock: number;
  readonly relay: EpollRelay;
  readonly drain: Drain;
  readonly log: Log;
}

/**
 * Waits for a process that takes over. Once one has, nothing here is ours.
 *
 * While there is a keeper, it does nothing; whatever is to happen with the listening socket, this
 * proxy does, and ends the keeper first. Only when this proxy ends does the keeper stand in for it.
 */
export class Succession {
  readonly #parts: SuccessionParts;
  #listener: HandoverListener | null = null;
  #keeper: KeeperLink | null = null;
  /** The keeper that stands in for this proxy, which ends. */
  #standIn: KeeperLink | null = null;
  /** Whether a keeper was ended for somebody who has not taken over yet. */
  #wasParked = false;
  #closed: Promise<void> | null = null;

  private constructor(parts: SuccessionParts) {
    this.#parts = parts;
  }

  /** Begins to wait. */
  static async begin(parts: SuccessionParts): Promise<Succession> {
    const { socket, relay } = parts;
    const self = new Succession(parts);
    self.#listener = await HandoverListener.listen(socket, {
      kind: "proxy",
      listen: formatAddress(relay.listen),
      cookie: relay.cookie,
      freeze: (to) => self.#freeze(to),
      thaw: () => self.#thaw(),
    }, (given, asker) => self.#told(given, asker));
    return self;
  }

  /** Resolves when another process has taken everything, to its pid. */
  get gone(): Promise<number> {
    return this.#listener?.gone ?? Promise.resolve(0);
  }

  /** Whether another process has taken everything. */
  get isGone(): boolean {
    return this.#listener?.isGone ?? false;
  }

  /** The keeper, while the proxy is parked; once it stands in for this proxy, until the end. */
  get keeper(): Pick<KeeperLink, "pid" | "until"> | null {
    return this.#standIn ?? this.#keeper;
  }

  /** Waits for nobody any more; if there is a keeper, it stands in from now on. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#listener?.stop();
    if (this.#keeper !== null) await this.#leaveTo(this.#keeper);
    await this.#listener?.close();
  }

  async #leaveTo(keeper: KeeperLink): Promise<void> {
    // First: a keeper that stands in does not end for a resume, and what was opened here then would
    // be its, or even the next proxy's.
    await this.#parts.drain.stop();
    if (keeper.isGone) return;
    this.#standIn = keeper;
    if (!await keeper.standIn()) this.#standIn = null;
  }

  async #freeze(to: Kind): Promise<Estate> {
    if (to === "keeper") this.#refuseKeeper();
    const { drain, relay, lock } = this.#parts;
    const snapshot = await drain.freeze();
    try {
      if (to === "keeper") this.#refuseKeeper();
      // Nothing becomes due between this and the end of the move.
      else {
        this.#wasParked = this.#keeper !== null;
        await this.#endKeeper();
      }
      return { relay: await relay.freeze(), drain: snapshot, lock };
    } catch (error) {
      drain.thaw();
      throw error;
    }
  }

  async #thaw(): Promise<void> {
    await this.#parts.relay.thaw();
    this.#parts.drain.thaw();
  }

  #told(given: Given, asker: Asker): void {
    const { drain, relay, log } = this.#parts;
    const { pid } = asker.channel;
    if (!given.gone) {
      const { reason } = given;
      const hint = this.#wasParked ? "; park it again before you stop it" : "";
      this.#wasParked = false;
      return log.warning(`Process ${pid} did not take over: ${reason}${hint}`, {
        event: "handover_failed",
        to: pid,
        reason,
      });
    }
    if (asker.kind === "keeper") return this.#park(asker);
    drain.moved();
    void relay.leave();
    log.info(`Handed over to process ${pid}`, { event: "handed_over", to: pid });
  }

  #refuseKeeper(): void {
    const { state } = this.#parts.drain.status;
    if (this.#keeper !== null) throw new Error("it is parked already");
    if (state !== "drained") throw new Error(`it is ${state}, and must be drained to be parked`);
  }

  #park({ channel, until }: Asker): void {
    const { drain, log } = this.#parts;
    const keeper = new KeeperLink(channel, until ?? Date.now());
    this.#keeper = keeper;
    drain.park(() => this.#endKeeper());
    const ends = new Date(keeper.until).toISOString();
    log.info(`Parked until ${ends}: process ${keeper.pid} keeps those who wait, stop this one`, {
      event: "parked",
      keeper: keeper.pid,
      until: ends,
    });
    void this.#unparkAfter(keeper);
    void this.#thaw();
  }

  /** Whoever ended the keeper, and be it itself: this is a drained proxy again. */
  async #unparkAfter(keeper: KeeperLink): Promise<void> {
    await keeper.gone;
    if (this.#standIn !== null) return;
    this.#keeper = null;
    const { drain, log } = this.#parts;
    const message = `The keeper with process ${keeper.pid} has ended: no longer parked`;
    log.info(message, { event: "unparked", keeper: keeper.pid });
    drain.unpark();
  }

  async #endKeeper(): Promise<void> {
    await this.#keeper?.end();
  }
}
