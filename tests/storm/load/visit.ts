import type { Random } from "../random.ts";
import { Broken } from "./broken.ts";
import { Call } from "./call.ts";
import { addFault, type Tally } from "./tally.ts";
import type { Seen, Versions } from "./versions.ts";

/** A connection, and the version that it sees. */
export interface Visit {
  readonly call: Call;
  readonly seen: Seen;
}

/** Makes one connection and does with it what this client does. What goes wrong is counted. */
export async function visit(
  act: (visit: Visit, random: Random) => Promise<void>,
  port: number,
  versions: Versions,
  tally: Tally,
  random: Random,
): Promise<void> {
  const seen = versions.connect();
  const call = new Call(port, tally, versions.moves);
  try {
    await act({ call, seen }, random);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    addFault(tally, error.fault, `${act.name}: ${error.message}`);
  } finally {
    call.destroy();
  }
}
