/**
 * The load client: keeps its clients busy until it is told to end, and counts what they see.
 *
 * @module
 */

import { Random } from "../random.ts";
import { visitInBulk } from "./bulk.ts";
import { visitForLong } from "./lingering.ts";
import type { Answer, Beginning, Kind, Methods, Request } from "./messages.ts";
import { pause } from "./pause.ts";
import { visitShortly } from "./short.ts";
import { emptyTally } from "./tally.ts";
import { Versions } from "./versions.ts";
import { visit } from "./visit.ts";

/** Of so many clients one sends bulk, or lingers; the others come shortly and often. */
const ONE_IN = { bulk: 16, lingers: 4 };
/** How long a client rests after something went wrong, so that a fault does not become a flood. */
const REST = 100;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
};
const tally = emptyTally();
const versions: Record<Kind, Versions> = { hello: new Versions(), bulk: new Versions() };
const counts: Record<Kind, number> = { hello: 0, bulk: 0 };
const clients: Promise<void>[] = [];
let ending = false;

const methods: Methods = {
  begin(beginning) {
    const random = new Random(beginning.seed);
    for (let index = 0; index < beginning.clients; index++) {
      clients.push(client(index, beginning, random.fork()));
    }
  },
  served: (kind, version) => versions[kind].answered(version, counts[kind]),
  holding: (kind, next) => versions[kind].holding(next),
  opening: (kind, version) => versions[kind].opening(version),
  tally: () => tally,
  lastCloses: () => ({ hello: versions.hello.lastCloses, bulk: versions.bulk.lastCloses }),
  now: () => performance.now(),
  async end() {
    ending = true;
    await Promise.all(clients);
  },
};

scope.onmessage = async ({ data: { id, method, args } }) => {
  const call = methods[method] as (...args: readonly unknown[]) => unknown;
  scope.postMessage({ id, result: await call(...args) });
};

async function client(index: number, { ports }: Beginning, random: Random): Promise<void> {
  const bulk = index % ONE_IN.bulk === 0;
  const kind = bulk ? "bulk" : "hello";
  counts[kind]++;
  const act = bulk ? visitInBulk : index % ONE_IN.lingers === 1 ? visitForLong : visitShortly;
  while (!ending) {
    const { refused, reset, truncated, wrong } = tally;
    await visit(act, ports[kind], versions[kind], tally, random);
    const faults = tally.refused + tally.reset + tally.truncated + tally.wrong;
    if (faults > refused + reset + truncated + wrong) await pause(REST);
  }
}
