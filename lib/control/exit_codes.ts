/** The exit codes of proxyctl. They are part of its interface. */
export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  noProxy: 3,
  /** The deadline passed; traffic was resumed, nothing was cut. */
  deadline: 4,
  /** Held by another owner. */
  held: 5,
  permission: 6,
  upstream: 7,
  /** Not in the state that this needs, or no such connection. */
  wrongState: 8,
  /** The drain was ended by someone else, or the proxy stopped. */
  ended: 9,
} as const;
