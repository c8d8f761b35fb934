/** The keeper of a parked proxy. */
export interface Keeper {
  /** 0 if it has no number in this PID namespace. */
  readonly pid: number;
  /** What to call it: `process 7`. */
  readonly name: string;
  /** When it gives up, in milliseconds since the epoch. */
  readonly until: number;
}
