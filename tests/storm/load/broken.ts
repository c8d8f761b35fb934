import type { Fault } from "./tally.ts";

/** A connection did not get what it was promised. */
export class Broken extends Error {
  override name = "Broken";

  /** @param fault as what it is counted */
  constructor(readonly fault: Fault, message: string) {
    super(message);
  }
}
