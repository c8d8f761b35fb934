/**
 * What the main thread and the load client say to each other.
 *
 * @module
 */

import type { Tally } from "./tally.ts";

/**
 * Which of the services. The activated one says hello as well; the listening socket of its proxy is
 * held by somebody else, and it is there only if proxies are replaced. The one whose clients stay
 * says hello, too; its proxy lets go of it while they are quiet.
 */
export type Kind = "hello" | "bulk" | "activated" | "staying";

/** What the load client needs to know. */
export interface Beginning {
  /** Those of the proxies that there are. */
  readonly ports: Partial<Record<Kind, number>>;
  readonly clients: number;
  /** How many connections there are besides that stay until the end. */
  readonly keepAlive: number;
  /** Whether bulk streams last for seconds. */
  readonly longStreams: boolean;
  readonly seed: number;
}

/** What the load client can be asked. */
export interface Methods {
  begin(beginning: Beginning): void;
  served(kind: Kind, version: number): Promise<void>;
  holding(kind: Kind, next: number): void;
  opening(kind: Kind, version: number): void;
  moving(kind: Kind, isMoving: boolean): void;
  tally(): Tally;
  lastCloses(): Record<Kind, ReadonlyMap<number, number>>;
  now(): number;
  end(): Promise<void>;
}

/** The name of a question. */
export type Method = keyof Methods;

/** A question. */
export interface Request {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

/** The answer to it. */
export interface Answer {
  readonly id: number;
  readonly result: unknown;
}
