/** What can go wrong with a connection. */
export type Fault = "refused" | "reset" | "truncated" | "wrong";

/** What the clients have seen so far. */
export interface Tally extends Record<Fault, number> {
  connections: number;
  /** Of both directions. */
  bytes: number;
  /** The longest that a client waited for its first answer, in milliseconds. */
  longestHold: number;
  /** The longest that a connection waited for an answer while it moved, in milliseconds. */
  longestPause: number;
  /** How many connections stayed until the end. */
  stayed: number;
  /** How many answers those were given that were to stay. */
  answers: number;
  /** The longest that one of them waited for an answer, in milliseconds. */
  longestWait: number;
  /** The first few kinds of what went wrong, in words. */
  failures: string[];
}

/** How many failures are described. */
const MOST_DESCRIBED = 10;

/** Nothing yet. */
export function emptyTally(): Tally {
  return {
    connections: 0,
    bytes: 0,
    longestHold: 0,
    longestPause: 0,
    refused: 0,
    reset: 0,
    truncated: 0,
    wrong: 0,
    stayed: 0,
    answers: 0,
    longestWait: 0,
    failures: [],
  };
}

/** Counts something that went wrong. */
export function addFault(tally: Tally, fault: Fault, description: string): void {
  tally[fault]++;
  const text = `${fault}: ${description}`;
  // A flood says the same again and again.
  const isNews = tally.failures.length < MOST_DESCRIBED && !tally.failures.includes(text);
  if (isNews) tally.failures.push(text);
}
