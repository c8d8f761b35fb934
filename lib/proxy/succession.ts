/**
 * Gives everything to a process that takes over, or to a keeper.
 *
 * @module
 */

import type { Drain } from "../drain/drain.ts";
import { DrainRefused } from "../drain/types.ts";
import type { Asker, Estate, Given } from "../handover/giver.ts";
import { HandoverListener, type HandoverSocket } from "../handover/listener.ts";
import type { Channel } from "../handover/channel.ts";
import { KeeperLink } from "../keeper/link.ts";
import { messageOf } from "../message_of.ts";
import { consequenceOfEnd } from "../reaper/consequences.ts";
import { checkMember, type Line } from "../reaper/line.ts";
import { Remaining } from "../reaper/remaining.ts";
import type { EpollRelay } from "../relay/epoll/relay.ts";
import type { Keeper } from "./keeper.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import type { Log } from "./log.ts";

/** What is to be given. */
export interface SuccessionParts {
  /** Where whoever takes over is waited for. */
  readonly socket: HandoverSocket;
  /** The descriptor of the lock on the directory. */
  readonly lock: number;
  readonly relay: EpollRelay;
  readonly drain: Drain;
  /** Resolves once the successor is found at the control socket. */
  readonly replaced: () => Promise<void>;
  readonly log: Log;
  /** What ties this process to a reaper, if it has one. */
  readonly line: Line | null;
  /** What this process was started with. */
  readonly command: Promise<OwnCommand>;
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
  /** What is left to do for this process if it is succeeded, where its end would end others. */
  #preparing: Promise<Remaining> | null = null;
  #remaining: Remaining | null = null;

  private constructor(parts: SuccessionParts) {
    this.#parts = parts;
  }

  /** Begins to wait. */
  static async begin(parts: SuccessionParts): Promise<Succession> {
    const { socket, relay } = parts;
    const self = new Succession(parts);
    self.#listener = await HandoverListener.listen(socket, {
      kind: "proxy",
      sockets: relay.sockets,
      isInherited: relay.isInherited,
      lineFor: (channel) => self.#lineFor(channel),
      ahead: relay.moving,
      freeze: (to) => self.#freeze(to),
      thaw: () => self.#thaw(),
      warn: (message) => parts.log.warning(message, { event: "waits_for_other" }),
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

  /** What this process has to stay for once it is gone; `null` if it may end. */
  get remaining(): Remaining | null {
    return this.#remaining;
  }

  /** The keeper, while the proxy is parked; once it stands in for this proxy, until the end. */
  get keeper(): Keeper | null {
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

  async #lineFor(channel: Channel): Promise<Line | null> {
    // Of one that is not in this PID namespace there is no number, and it does not end with this.
    if (channel.pid === 0) return null;
    const { line, command } = this.#parts;
    if (line !== null) {
      checkMember(channel.pid, channel.uid);
      return line;
    }
    if (consequenceOfEnd() === "none") return null;
    checkMember(channel.pid, channel.uid);
    this.#preparing ??= Remaining.prepare(command).catch((error) => {
      this.#preparing = null;
      throw error;
    });
    return (await this.#preparing).line;
  }

  async #freeze({ kind, isToldAhead, channel: { pid } }: Asker): Promise<Estate> {
    if (kind === "keeper") this.#refuseKeeper(pid);
    const { drain, relay, lock } = this.#parts;
    const snapshot = await drain.freeze();
    try {
      if (kind === "keeper") this.#refuseKeeper(pid);
      // Nothing becomes due between this and the end of the move.
      else {
        this.#wasParked = this.#keeper !== null;
        await this.#endKeeper();
      }
      return { relay: await relay.freeze(isToldAhead), drain: snapshot, lock };
    } catch (error) {
      drain.thaw();
      throw error;
    }
  }

  async #thaw(): Promise<void> {
    await this.#parts.relay.thaw();
    this.#parts.drain.thaw();
  }

  async #told(given: Given, asker: Asker): Promise<void> {
    const { drain, relay, replaced, log } = this.#parts;
    const { pid, name } = asker.channel;
    if (!given.gone) {
      const { reason } = given;
      const hint = this.#wasParked ? "; park it again before you stop it" : "";
      this.#wasParked = false;
      return log.warning(`Not taken over by ${name}: ${reason}${hint}`, {
        event: "handover_failed",
        to: pid,
        reason,
      });
    }
    if (asker.kind === "keeper") return this.#park(asker);
    void relay.leave();
    if (asker.line === null) this.#parts.line?.leave();
    else if (asker.line.isOurs) {
      this.#remaining = await this.#preparing;
      this.#remaining?.succeeded(pid);
    }
    const stays = this.#remaining === null
      ? ""
      : "; this one stays, because that would end with it";
    log.info(`Handed over to ${name}${stays}`, { event: "handed_over", to: pid });
    // Whoever is told to ask again is to find the successor. Until then requests wait.
    await replaced();
    drain.moved();
  }

  #refuseKeeper(pid: number): void {
    const { state } = this.#parts.drain.status;
    if (this.#keeper !== null) throw new Error("it is parked already");
    if (state !== "drained") throw new Error(`it is ${state}, and must be drained to be parked`);
    if (pid !== 0 && (this.#parts.line !== null || consequenceOfEnd() === "ends")) {
      throw new Error(
        "the container ends when the proxy is stopped, and the keeper with it: park it from outside, " +
          "or replace it by proxyctl upgrade",
      );
    }
  }

  #park({ channel, until }: Asker): void {
    const { drain, log } = this.#parts;
    const keeper = new KeeperLink(channel, until ?? Date.now());
    this.#keeper = keeper;
    drain.park(() => this.#endKeeper());
    const ends = new Date(keeper.until).toISOString();
    log.info(`Parked until ${ends}: ${keeper.name} keeps those who wait, stop this one`, {
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
    const message = `The keeper (${keeper.name}) has ended: no longer parked`;
    log.info(message, { event: "unparked", keeper: keeper.pid });
    drain.unpark();
  }

  /** @throws {DrainRefused} when it does not end: it has the socket as well, so nothing may change */
  async #endKeeper(): Promise<void> {
    try {
      await this.#keeper?.end();
    } catch (error) {
      throw new DrainRefused("parked", messageOf(error));
    }
  }
}
