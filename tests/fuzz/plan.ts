/**
 * What happens in a round, as far as it can be planned: when things happen, and so what meets what,
 * is the machine's choice.
 *
 * @module
 */

import type { Random } from "../storm/random.ts";
import { type Shape, SHAPES } from "./crowd.ts";
import { connectionScript, type Introducer, silentScript } from "./generate.ts";
import { pick } from "./pick.ts";
import type { ConnectionScript, EndScript } from "./script.ts";

/** How many clients come in a round, for each that may be there at the same time. */
const TURNOVER = 3;

/** One in so many clients goes away without a word. */
const SILENT_IS_ONE_IN = 12;

/** Somebody who will connect. */
export interface Visitor {
  /** For those who go away without a word; `null` for those who take part in a conversation. */
  readonly silent: EndScript | null;
  readonly shape: Shape;
}

/** A round. */
export interface Plan {
  /** Who speaks first, and so who says which connection it is. */
  readonly introducer: Introducer;
  readonly visitors: readonly Visitor[];
  /** For each client that speaks; if the service speaks first, for each connection it may get. */
  readonly scripts: readonly ConnectionScript[];
}

/** Plans a round with so many clients at the same time. */
export function makePlan(random: Random, connections: number): Plan {
  const introducer = random.oneIn(3) ? "service" : "client";
  const visitors = Array.from({ length: connections * TURNOVER }, (): Visitor => ({
    silent: random.oneIn(SILENT_IS_ONE_IN) ? silentScript(random) : null,
    shape: pick(random, SHAPES),
  }));
  // A service that resets a connection at once looks like one that is not there, and gets another.
  const speakers = introducer === "service"
    ? [...visitors, ...visitors]
    : visitors.filter(({ silent }) => silent === null);
  const scripts = speakers.map(() => connectionScript(random, introducer));
  return { introducer, visitors, scripts };
}
