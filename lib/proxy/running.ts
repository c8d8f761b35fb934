import type { ControlSocket } from "../control/socket.ts";
import type { Duration } from "../duration.ts";
import type { Signal } from "../signals.ts";
import type { Assembly } from "./assembly.ts";
import { finish } from "./finish.ts";
import type { Handover } from "./handover.ts";
import type { Log } from "./log.ts";
import type { Obedient } from "./signals.ts";
import { tellServiceManager } from "./tell_service_manager.ts";

/** What a proxy that runs is made of, as far as it matters for its end. */
export interface RunningParts extends
  Pick<
    Assembly,
    | "begun"
    | "drain"
    | "serviceStatus"
    | "upgrading"
    | "idleExit"
    | "history"
    | "noneActive"
    | "broken"
  > {
  /** Where it is asked for things. */
  readonly socket: ControlSocket;
  readonly handover: Handover;
  readonly log: Log;
  /** How long active connections may finish when it is stopped, in milliseconds. */
  readonly stopTimeout: Duration;
}

/** A proxy that runs: what it is told, and how it ends. */
export class RunningProxy implements Obedient {
  /**
   * Resolves when it has ended by itself, because nobody was there for so long, or because another
   * process has taken over. Rejects with a `Failure` when its relay breaks: then all that is left to
   * do is to end the process.
   */
  readonly ended: Promise<void>;
  readonly #parts: RunningParts;

  /** @param parts serve already, and whoever takes over is waited for */
  constructor(parts: RunningParts) {
    this.#parts = parts;
    const { idleExit, handover: { succession }, broken } = parts;
    const giveBack = () => this.#giveBack();
    this.ended = Promise.race([
      idleExit.over.then(giveBack),
      ...succession === null ? [] : [succession.gone.then(giveBack)],
      broken,
    ]);
    this.ended.catch(() => {});
  }

  upgrade(signal: Signal): void {
    const { log, upgrading } = this.#parts;
    log.info(`${signal}: a new process is to take over`, { event: "signal", signal });
    // What comes of it is in the log.
    upgrading.start().catch(() => {});
  }

  ignored(signal: Signal): void {
    this.#parts.log.debug(`${signal} is ignored`, { event: "signal", signal });
  }

  /**
   * Stops it; resolves when everything is given back.
   *
   * @param cutShort when it resolves, connections that are still active are cut at once
   */
  async stop(cutShort: Promise<unknown>): Promise<void> {
    const { begun: { relay }, drain, handover, upgrading, idleExit, serviceStatus, log } =
      this.#parts;
    const { succession } = handover;
    if (await idleExit.stop()) return await this.ended;
    // Whoever takes over just now has everything; whoever comes later would find nothing.
    await succession?.close();
    if (succession?.isGone) {
      succession.remaining?.stop();
      return await this.ended;
    }
    // It would find this one gone.
    upgrading.stop();
    await tellServiceManager({ state: "stopping" });
    serviceStatus.stopping();
    const { keeper } = handover;
    const timeout = this.#parts.stopTimeout;
    await finish({ relay, drain, keeper, log, timeout, idle: () => this.#idle(), cutShort });
    await this.#giveBack();
  }

  /** Resolves when nobody is served or waits to be. */
  #idle(): Promise<void> {
    const { begun: { relay }, noneActive } = this.#parts;
    const isIdle = () => relay.active === 0 && relay.queued === 0;
    if (isIdle()) return Promise.resolve();
    return new Promise((resolve) => {
      noneActive.hear(() => {
        if (isIdle()) resolve();
      });
    });
  }

  async #giveBack(): Promise<void> {
    const { begun: { directory, line }, socket, handover: { succession }, log } = this.#parts;
    await succession?.close();
    // Somebody always answers.
    await (succession?.isGone ? socket.giveWay() : socket.close());
    await Promise.all([log.flush(), this.#parts.history.flush()]);
    directory[Symbol.dispose]();
    if (succession?.isGone) await succession.remaining?.stay();
    else line?.leave();
  }
}
