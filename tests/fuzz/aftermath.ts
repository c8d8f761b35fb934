/**
 * What must be true of a relay once nobody is connected any more.
 *
 * @module
 */

import type { CloseReason } from "../../lib/relay/relay.ts";
import type { Numbers, RelayInProcess } from "../relay/relay_in_process.ts";
import { pause, steady } from "../relay/waiting.ts";
import { PATIENCE } from "../support/patience.ts";

/** How long its descriptors must stay as they are before that is what they are, in milliseconds. */
const CALM = 50;

/** How many descriptors of empty pipes each of its threads may keep for later. */
const PIPES_KEPT = 32;

/** By how much its memory may have grown since the first look at it, in MiB. */
const GROWTH = 300;

/** For what reasons a connection of a fuzz may be over. */
const REASONS: readonly CloseReason[] = [
  "finished",
  "client_reset",
  "client_left",
  "upstream_reset",
  "killed",
];

/** What the ends of all connections so far, or of some of them, amount to. */
export interface Totals {
  /** Clients that connected. */
  clients: number;
  /** Connections that went from their beginning to a clean end. */
  peaceful: number;
  kills: number;
  /** How often the service went away at once, so that it may look as if it had not been there. */
  rejected: number;
  /** Bytes from clients to services, as the ones have sent and the others received them. */
  readonly up: { sent: number; received: number };
  /** Bytes from services to clients. */
  readonly down: { sent: number; received: number };
}

/** What a relay has open and how much memory, in MiB, it takes. */
export interface Footprint {
  /** Without those of pipes. */
  readonly descriptors: number;
  /** Descriptors of pipes. */
  readonly pipes: number;
  readonly memory: number;
}

/** Looks after a relay from round to round. */
export class Aftermath {
  first: Footprint | null = null;
  last: Footprint | null = null;

  constructor(private readonly relay: RelayInProcess) {}

  /**
   * Waits until the relay is done with all connections. @returns what is wrong
   *
   * @param meanwhile lets those do something who come late
   */
  async look(totals: Totals, meanwhile: () => void): Promise<string[]> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      meanwhile();
      const numbers = await this.relay.ask();
      const faults = [...unfinished(numbers, totals), ...this.#leaks(numbers)];
      if (faults.length > 0 && performance.now() < deadline) {
        await pause(5);
      } else {
        await this.#measure();
        return [...faults, ...miscounted(numbers, totals), ...this.#growth()];
      }
    }
  }

  async #measure(): Promise<void> {
    await steady(() => this.relay.descriptors, CALM);
    this.last = { ...this.#open(), memory: this.relay.memory };
    this.first ??= this.last;
  }

  #leaks({ threads }: Numbers): string[] {
    if (this.first === null) return [];
    const { first } = this;
    const { descriptors, pipes } = this.#open();
    const after = (number: number) => `after the first round there were ${number}`;
    return [
      ...descriptors <= first.descriptors
        ? []
        : [`it has ${descriptors} descriptors other than pipes open, ${after(first.descriptors)}`],
      ...pipes <= first.pipes + threads * PIPES_KEPT
        ? []
        : [`it has ${pipes} descriptors of pipes open, ${after(first.pipes)}`],
    ];
  }

  #open(): Omit<Footprint, "memory"> {
    const { descriptors, pipes } = this.relay;
    return { descriptors: descriptors - pipes, pipes };
  }

  #growth(): string[] {
    const [first, last] = [this.first?.memory ?? 0, this.last?.memory ?? 0];
    if (last <= first + GROWTH) return [];
    return [`its memory grew from ${Math.round(first)} to ${Math.round(last)} MiB`];
  }
}

function unfinished({ active, queued, accepted, closed }: Numbers, { clients }: Totals): string[] {
  const ended = sum(Object.values(closed));
  return [
    ...active === 0 ? [] : [`${active} connections are active, and nobody is connected`],
    ...queued === 0 || queued === null ? [] : [`${queued} are queued, and nobody is connected`],
    ...accepted === clients ? [] : [`it accepted ${accepted} of ${clients} connections`],
    ...accepted === ended ? [] : [`it accepted ${accepted} connections and ended ${ended}`],
  ];
}

function miscounted(numbers: Numbers, { peaceful, kills, rejected, up, down }: Totals): string[] {
  const { closed, bytesUp, bytesDown, failures, broken, full } = numbers;
  const others = Object.entries(closed).filter(([reason, count]) =>
    count > 0 && !REASONS.includes(reason as CloseReason)
  );
  return [
    ...others.map(([reason, count]) => `${count} connections ended by ${reason}`),
    ...closed.finished >= peaceful
      ? []
      : [`it counts ${closed.finished} as finished, but ${peaceful} did`],
    ...closed.killed <= kills ? [] : [`it counts ${closed.killed} as killed, but ${kills} were`],
    ...miscountedBytes("up", bytesUp, up),
    ...miscountedBytes("down", bytesDown, down),
    ...failures <= rejected ? [] : [`it failed to connect to the service ${failures} times`],
    ...full === 0 ? [] : [`it was full ${full} times`],
    ...broken === null ? [] : [`it broke: ${broken}`],
  ];
}

function miscountedBytes(
  way: string,
  counted: number,
  { sent, received }: Totals["up"],
): string[] {
  if (counted >= received && counted <= sent) return [];
  return [`it counts ${counted} bytes ${way}, but ${sent} were sent and ${received} received`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
