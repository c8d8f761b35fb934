/**
 * The commands of a drain: they may overlap, and take effect one after the other.
 *
 * @module
 */

import { type Address, formatAddress } from "../address.ts";
import type { Duration } from "../duration.ts";
import type { LettingGo } from "../relay/relay.ts";
import { statusOf } from "./current.ts";
import * as messages from "./messages.ts";
import { Movable } from "./movable.ts";
import { DrainRefused, type DrainStatus, MOST_WAITERS, type Resumed } from "./types.ts";
import type { DrainRequest } from "./request.ts";
import { Waiter } from "./waiter.ts";

export { COME_BACK_WITHIN } from "./away.ts";
export { START_DRAINED_LEASE } from "./current.ts";
export { ABSORB_WITHIN } from "./refusals.ts";

/** The drain of one proxy. */
export class Drain extends Movable {
  /** The state as it is now. Times are by the wall clock, in milliseconds, or `null`. */
  get status(): DrainStatus {
    return statusOf(this.current, this.clock);
  }

  /** Whether its process ends, and nothing goes on elsewhere. */
  get isStopping(): boolean {
    return this.stopped && !this.hasMoved;
  }

  /** What it lets go of meanwhile; `null` while open. */
  get lettingGo(): LettingGo | null {
    return this.current?.lettingGo ?? null;
  }

  /** How many wait for it who have not been told. */
  get waiting(): number {
    return this.current?.waiters.size ?? 0;
  }

  /**
   * Enters draining, or joins the owner's own drain.
   *
   * @returns the one who waits for it
   * @throws {DrainRefused} when another holds it, too many wait, or it cannot be recorded; then
   * nothing changed
   */
  drain(request: DrainRequest): Promise<Waiter> {
    return this.turns.take(async () => {
      this.refuseIfStopped();
      if (this.waiting >= MOST_WAITERS) throw new DrainRefused("busy", messages.BUSY);
      const before = this.current;
      const joined = before !== null;
      const current = before === null
        ? await this.enter(request)
        : await this.join(before, request);
      const notice = before && messages.shortened(before, current, this.clock);
      const origin = { ...request, releases: request.release, joined, notice };
      const waiter = new Waiter(origin, this.clock, this.waiterEvents);
      current.waiters.add(waiter);
      await this.advance();
      // Not told before: the new lease may have ended while it was being written.
      if (current.state === "drained") {
        const message = notice === null
          ? "Already drained; the lease was renewed"
          : `Already drained. ${notice}`;
        waiter.settle({ ...this.outcome("drained", current, message), waited: 0 });
      }
      return waiter;
    });
  }

  /**
   * Has it stay drained until its lease ends, whoever goes away who waits for it or is attached to
   * it; its owner may take it over.
   *
   * @returns what it is then
   * @throws {DrainRefused} when it is not drained, another holds it, or that cannot be recorded
   */
  stayDrained(owner: string): Promise<{ status: DrainStatus; message: string }> {
    return this.turns.take(async () => {
      const staying = await this.leaveDrained(owner);
      return { status: this.status, message: messages.staysDrained(staying, this.clock) };
    });
  }

  /**
   * Somebody has had the service let its clients go: nobody need wait any longer for that to be said,
   * and the deadline cuts what is left, instead of resuming.
   *
   * @throws {DrainRefused} when there is no drain, or another holds it
   */
  released(owner: string): Promise<DrainStatus> {
    return this.turns.take(async () => {
      this.refuseIfStopped();
      this.release(owner);
      await this.advance();
      return this.status;
    });
  }

  /**
   * Goes back to open. Of an open proxy it is a success that changes nothing.
   *
   * @throws {DrainRefused} when another holds it and `force` is not set
   */
  resume(owner: string, force: boolean): Promise<Resumed> {
    return this.turns.take(async () => {
      this.refuseIfStopped();
      const current = this.current;
      const unchanged = { changed: false, absorbed: false, held: 0, longest: 0 };
      if (current === null) return { ...unchanged, message: "Already open" };
      if (!force && current.refusals.take(owner, this.clock.now())) {
        this.report({ type: "absorbed", owner, holder: current.owner });
        await this.recorder.tryToWrite(this.record(current));
        const message = messages.absorbed(owner, current, this.clock);
        return { ...unchanged, absorbed: true, message };
      }
      this.refuseResume(current, owner, force);
      const { suspended } = this.relay;
      const forced = current.owner !== null && current.owner !== owner;
      const released = await this.end(current, forced ? "forced" : "resumed", owner);
      const message = messages.resumed(released, suspended);
      return { changed: true, absorbed: false, ...released, message };
    });
  }

  /**
   * Whether a resume would open, without doing it: of an open proxy it would change nothing, nor would
   * one that is absorbed.
   *
   * @throws {DrainRefused} if it would be refused
   */
  wouldOpen(owner: string, force: boolean): boolean {
    this.refuseIfStopped();
    const { current } = this;
    if (current === null) return false;
    if (!force && current.refusals.has(owner, this.clock.now())) return false;
    this.refuseResume(current, owner, force);
    return true;
  }

  /**
   * Sends new connections to another service. During a drain that survives a crash.
   *
   * @param suspendQuiet what is let go of connections to any other; left out, as the proxy was told
   * @returns how often it has been retargeted with that
   * @throws {DrainRefused} when it cannot be recorded; then nothing changed
   */
  retarget(
    upstream: Address,
    suspendQuiet: Duration = this.suspendQuiet,
  ): Promise<{ retargets: number }> {
    return this.turns.take(async () => {
      this.refuseIfStopped();
      if (this.current !== null) {
        await this.recorder.write(this.record(this.current, upstream));
      }
      this.relay.retarget(upstream, suspendQuiet);
      this.suspendElsewhere = suspendQuiet;
      this.retargets++;
      this.reportRetarget(formatAddress(upstream), false);
      return { retargets: this.retargets };
    });
  }

  /** To be called when no connection is active any more. */
  noneActive(): void {
    if (this.current?.state === "draining" && this.relay.active === 0) {
      this.turns.wake();
    }
  }

  /**
   * Ends the machine with its process if the proxy is open and nobody needs it.
   *
   * @param end is called with the relay holding, so that nobody is served any more who comes after
   * it has looked; it does not wait for anything, and returns whether it has ended the process's work
   * @returns what that returned
   */
  stopIfUnused(end: () => boolean): Promise<boolean> {
    return this.turns.take(async () => {
      if (this.current !== null || this.stopped) return false;
      await this.relay.hold();
      const ended = end();
      if (ended) this.stopped = true;
      else await this.relay.open();
      return ended;
    });
  }

  /** Ends the machine with its process: who waits is told, the record stays. */
  stop(): Promise<void> {
    const again = this.stopped;
    // At once: what is still in its turn must not open what is being closed.
    this.stopped = true;
    return this.turns.take(() => {
      const current = this.current;
      if (current !== null && !again && !this.hasMoved) {
        const outcome = this.outcome("stopped", current, messages.stoppedWhile(current));
        if (current.state === "draining") this.decide(current, outcome);
        for (const waiter of current.waiters) waiter.end(outcome);
      }
      return Promise.resolve();
    });
  }
}
