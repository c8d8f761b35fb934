import { EXIT } from "../exit_codes.ts";

/** What an outcome means to those who hear of it. */
interface Meaning {
  /** The exit code of a proxyctl that waits. */
  readonly exit: number;
  /**
   * What the metrics say: that there was one, or how long it took as well. One that `moved` is the
   * next process's to count.
   */
  readonly metrics: "counted" | "counted and timed" | "left out";
}

/** Every way in which a drain can turn out for those who wait. */
export const OUTCOMES = {
  drained: { exit: EXIT.done, metrics: "counted and timed" },
  deadline: { exit: EXIT.deadline, metrics: "counted and timed" },
  cancelled: { exit: EXIT.ended, metrics: "counted and timed" },
  refused: { exit: EXIT.unexpected, metrics: "counted" },
  ended: { exit: EXIT.ended, metrics: "counted and timed" },
  stopped: { exit: EXIT.ended, metrics: "counted and timed" },
  /** It goes on in another process. */
  moved: { exit: EXIT.ended, metrics: "left out" },
} as const satisfies Record<string, Meaning>;

/** The name of an outcome. */
export type OutcomeName = keyof typeof OUTCOMES;

/** All of their names. */
export const OUTCOME_NAMES = Object.keys(OUTCOMES) as OutcomeName[];
