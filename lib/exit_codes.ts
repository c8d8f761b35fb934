/**
 * The exit codes of proxyctl, of which the other programs have the first three. They are part of the
 * interface.
 */
export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  noProxy: 3,
  deadline: 4,
  held: 5,
  permission: 6,
  upstream: 7,
  wrongState: 8,
  ended: 9,
} as const;

/** What they mean, in the words of `proxyctl --help`. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: "done",
  unexpected: "unexpected error",
  usage: "bad usage",
  noProxy: "no proxy runs there",
  deadline: "the deadline passed (a drain: traffic was resumed, nothing was cut)",
  held: "held by another owner",
  permission: "permission denied",
  upstream: "upstream not reachable",
  wrongState: "not in the state this needs, or no such connection",
  ended: "the drain was ended by someone else, or the proxy stopped",
};
