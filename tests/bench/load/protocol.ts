/**
 * What is said over the connections of the benchmark, and between it and its load.
 *
 * @module
 */

/** With the first byte a client says what it wants of the service. */
export const WANTS = {
  /** All that it sends, this byte as well, back. */
  echo: 0x65,
  /** Bytes without an end. */
  download: 0x64,
  /** That all that it sends is swallowed. */
  upload: 0x75,
} as const;

/** What a client may want. */
export type Want = keyof typeof WANTS;

/** What all tasks of the load have. */
interface Task {
  /** Where the clients connect to, on 127.0.0.1. */
  readonly port: number;
  /** How many of them there are. */
  readonly connections: number;
}

/** What tasks have that measure for some time. */
interface Measurement extends Task {
  /** For so long, after a while to warm up. */
  readonly seconds: number;
  /** The process whose CPU time is read, with its children; `null` for none. */
  readonly pid: number | null;
}

/** What the load can be asked to do, and what it answers. Each is told of at its function. */
export interface Tasks {
  requests: { task: Measurement; done: Measured & RoundTrips };
  connections: { task: Measurement; done: Measured };
  bulk: {
    task: Measurement & { readonly want: "download" | "upload" };
    done: Measured;
  };
  pings: {
    task: Measurement & { readonly perSecond: number };
    done: { readonly before: RoundTrips; readonly after: RoundTrips };
  };
  hold: { task: Task; done: { readonly closedAt: number } };
  held: { task: Task & { readonly request: string }; done: { readonly servedAt: number } };
}

/** What was measured in a stretch of time. */
export interface Measured {
  /** How much was done. */
  readonly count: number;
  /** In how many seconds. */
  readonly seconds: number;
  /** CPU time that the process used, in microseconds. */
  readonly cpu: number;
  /** How much of that in the kernel, as it estimates itself. */
  readonly system: number;
  /** How much was done in all, with what came before and after, if that is known. */
  readonly total: number;
}

/** How long the service took to answer, in microseconds. */
export interface RoundTrips {
  readonly p50: number;
  readonly p99: number;
}

/** How a function that does a task talks with who gave it. */
export interface Conversation {
  /** Readable as soon as a line is there, or nobody is left who could write one. */
  readonly descriptor: number;
  /** Says that everything is in place. */
  ready(): void;
  /** Waits for a line: to go on. */
  wait(): void;
}

/** The line with which a task that waits is told to go on. One that waits no more ignores it. */
export const GO_ON = "go on";

/** Any other line from the benchmark to the load: a task, with a number for its answers. */
export interface Order {
  readonly number: number;
  readonly kind: keyof Tasks;
  // deno-lint-ignore no-explicit-any
  readonly task: any;
}

/** A line back. */
export type Answer =
  | { readonly number: number; readonly ready: true }
  | { readonly number: number; readonly done: unknown }
  | { readonly number: number; readonly failed: string };
