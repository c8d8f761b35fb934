import type { Contender } from "../contenders/contender.ts";
import type { Figure, Numbers } from "../figures.ts";
import type { Stage } from "../stage.ts";

/** Something that is measured of each contender, in turns. */
export interface Row {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** Whom it is for: all, all but the direct connection, or ours alone. */
  readonly whom: "all" | "proxies" | "ours";
  /** Whether all are measured at the same time, and only once; they may not disturb each other. */
  readonly atOnce?: true;
  /**
   * Measures one turn of one contender.
   *
   * @param seconds for how long, where that can be chosen
   * @throws when the contender fails
   */
  measure(stage: Stage, contender: Contender, seconds: number): Promise<Numbers>;
}
