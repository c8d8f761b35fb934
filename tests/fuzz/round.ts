/**
 * A round: many connections through a relay, each of them random.
 *
 * @module
 */

import type { Address } from "../../lib/address.ts";
import { pause } from "../relay/waiting.ts";
import { PATIENCE } from "../support/patience.ts";
import type { Crowd } from "./crowd.ts";
import type { End } from "./end.ts";
import type { Introducer } from "./generate.ts";
import type { Operator } from "./operator.ts";
import type { Pair } from "./pair.ts";
import type { Plan, Visitor } from "./plan.ts";
import { decodeNumber, NUMBER_LENGTH, Stream } from "./stream.ts";

/** How long the loop goes on before the operator gets a turn, in milliseconds. */
const SLICE = 5;

/**
 * How long a connection may last, in milliseconds. An end may wait for the other one, which on a busy
 * machine takes many steps late.
 */
const LIFE = 3 * PATIENCE;

/** What those send and expect who have nothing to say. */
const NOTHING = new Stream(0, null);

/** Where a round is played. */
export interface RoundStage {
  readonly crowd: Crowd;
  /** Where the relay listens. */
  readonly relay: Address;
  readonly operator: Operator;
}

/** A round that is played, or was. */
export class Round {
  readonly pairs: Pair[] = [];
  /** The clients that had nothing to say. */
  readonly silent: End[] = [];
  /** The ends that have not learned, or not yet, which connection they belong to. */
  readonly strangers = new Set<End>();
  /** What went wrong that belongs to no connection. */
  readonly faults: string[] = [];
  /** How many connections the service got. */
  arrived = 0;
  readonly #ports = new Map<End, number>();

  /** @param firstNumber that of the first connection; the others follow */
  constructor(
    readonly plan: Plan,
    private readonly firstNumber: number,
    private readonly stage: RoundStage,
  ) {
    stage.crowd.welcome = (end) => this.#welcome(end);
  }

  /** Plays it, with at most so many connections at the same time, until all are over. */
  async play(connections: number): Promise<void> {
    const working = this.stage.operator.work();
    // It is told below, when all have gone.
    working.catch(() => {});
    for (const visitor of this.plan.visitors) {
      await this.#turnUntil(() => this.stage.crowd.size < 2 * connections);
      this.#visit(visitor);
    }
    // Not later: sooner or later it would kill those that hang, and nobody would know.
    this.stage.operator.finish();
    await this.#turnUntil(() => this.stage.crowd.size === 0);
    await working;
    for (const pair of this.pairs) pair.killed = this.#wasKilled(pair.client);
  }

  #visit({ silent, shape }: Visitor): void {
    const { end, port } = this.stage.crowd.connect(this.stage.relay, shape);
    this.#ports.set(end, port);
    if (silent !== null) {
      this.silent.push(end);
      end.follow(silent, NOTHING, NOTHING);
    } else this.#begin("client", end);
  }

  #welcome(end: End): void {
    this.arrived++;
    if (this.plan.introducer === "client" || this.arrived <= this.plan.scripts.length) {
      this.#begin("service", end);
    } else end.giveUp("one too many");
  }

  /** One end of a connection is there. Who speaks first knows which it is; the other is told. */
  #begin(side: Introducer, end: End): void {
    if (side === this.plan.introducer) {
      const number = this.firstNumber + this.pairs.length;
      const script = this.plan.scripts[this.pairs.length];
      if (script === undefined) throw new Error("Failed to plan a script for everybody");
      const pair = { number, script, client: null, service: null, killed: false };
      this.pairs.push(pair);
      this.#join(pair, side, end);
    } else {
      this.strangers.add(end);
      end.expect(NUMBER_LENGTH, (bytes) => this.#recognize(side, end, decodeNumber(bytes)));
    }
  }

  #recognize(side: Introducer, end: End, number: number): void {
    const pair = this.pairs[number - this.firstNumber];
    if (pair === undefined || pair[side] !== null) {
      this.faults.push(`a ${side} was told that it is number ${number}, which cannot be`);
      return end.giveUp("nobody knows it");
    }
    this.strangers.delete(end);
    this.#join(pair, side, end);
    const { holdingSince } = this.stage.operator;
    if (holdingSince !== null && pair.client !== null && pair.client.began > holdingSince) {
      this.faults.push(`connection ${number} began while the relay held, and was served`);
    }
  }

  #join(pair: Pair, side: Introducer, end: End): void {
    const { number, script } = pair;
    const stream = (of: Introducer) =>
      new Stream(script[of].stream, of === this.plan.introducer ? number : null);
    pair[side] = end;
    end.follow(script[side], stream(side), stream(side === "client" ? "service" : "client"));
  }

  /** Whether the relay was told to kill the connection of this client. */
  #wasKilled(client: End | null): boolean {
    return client !== null && this.stage.operator.killed.has(this.#ports.get(client) ?? NaN);
  }

  async #turnUntil(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const deadline = performance.now() + SLICE;
      for (let moved = false; performance.now() < deadline && !condition();) {
        moved = this.stage.crowd.turn(moved ? 0 : 1);
      }
      this.stage.crowd.giveUp(PATIENCE, LIFE);
      await pause(0);
    }
  }
}
