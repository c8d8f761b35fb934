import type { Connections } from "./connections.ts";
import type { Connector } from "./connector.ts";
import { NOTHING } from "./letting_go.ts";
import type { Serving } from "./serving.ts";
import { CLOSING, CONTROL, ENDING, FROZEN, HOLDING, type SharedMemory } from "./shared.ts";
import type { TargetMemory } from "./target.ts";

/** What wishes are about. */
export interface WishesParts {
  readonly shared: SharedMemory;
  readonly target: TargetMemory;
  readonly connections: Connections;
  readonly connector: Connector;
  readonly serving: Serving;
}

/** What the main thread wishes of the connections of a thread. */
export class Wishes {
  readonly #parts: WishesParts;
  #cuts = 0;
  #idleCuts = 0;
  #targetVersion: number;
  /** Since when those are to be cut that are idle: not before it is known who is. */
  cutsIdleSince = Infinity;

  /** @param version of the target, as it was before the connector read that */
  constructor(parts: WishesParts, version: number) {
    this.#parts = parts;
    this.#targetVersion = version;
  }

  /** Whether some are still to be cut because they are idle. */
  get isCutting(): boolean {
    return this.cutsIdleSince < Infinity;
  }

  /** Does what is new, or begins to. @param now on the clock */
  obey(mode: number, now: number): void {
    const { shared: { control }, target, connections, connector } = this.#parts;
    const { version } = target;
    if (version !== this.#targetVersion) {
      this.#targetVersion = version;
      connector.retarget(target.read(), connections);
    }
    const cuts = Atomics.load(control, CONTROL.cuts);
    if (cuts !== this.#cuts) {
      this.#cuts = cuts;
      connections.cutWished();
    }
    const idleCuts = Atomics.load(control, CONTROL.idleCuts);
    if (idleCuts !== this.#idleCuts) {
      this.#idleCuts = idleCuts;
      this.cutsIdleSince = now;
    }
    // While it is frozen nothing is begun, and nothing undone.
    if (mode !== FROZEN) this.#letGo(mode);
  }

  /** Cuts those that have been idle for as long as the main thread said. @returns these */
  cutIdle(): ReturnType<Connections["cutIdle"]> {
    const { shared, connections } = this.#parts;
    this.cutsIdleSince = Infinity;
    const reason = Atomics.load(shared.control, CONTROL.idleCutReason);
    return connections.cutIdle(shared.idleLimit, reason);
  }

  #letGo(mode: number): void {
    const { shared, connector, serving: { lettingGo } } = this.#parts;
    if (mode === CLOSING || mode === ENDING) return lettingGo.want(NOTHING);
    const isHolding = mode === HOLDING;
    lettingGo.want({
      quiet: isHolding ? shared.holdQuiet : Infinity,
      quietElsewhere: shared.retargetQuiet,
      target: connector.target,
      closeEnded: isHolding ? shared.closeEnded : Infinity,
    });
  }
}
