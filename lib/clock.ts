/** Time, handed in so that tests can own it. All numbers are milliseconds. */
export interface Clock {
  /** Monotonic, from an arbitrary start: for everything measured while the process lives. */
  now(): number;
  /** Since the Unix epoch: for what must outlive the process or is shown to people. */
  wall(): number;
  /** Calls back once, not before so many milliseconds have passed. @returns a way to cancel it */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};
