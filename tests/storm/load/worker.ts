/**
 * The load client: keeps its clients busy until it is told to end, and counts what they see.
 *
 * @module
 */

import { Random } from "../random.ts";
import { visitInBulk, visitInBulkForLong } from "./bulk.ts";
import { visitForLong } from "./lingering.ts";
import type { Answer, Beginning, Kind, Methods, Request } from "./messages.ts";
import { Moves } from "./moves.ts";
import { pause } from "./pause.ts";
import { visitShortly } from "./short.ts";
import { stay } from "./staying.ts";
import { emptyTally } from "./tally.ts";
import { Versions } from "./versions.ts";
import { visit } from "./visit.ts";

/**
 * Of so many clients one sends bulk, or lingers; the others come shortly and often. Every
 * second group of so many goes to the activated service.
 */
const ONE_IN = { bulk: 16, lingers: 4, activated: 4 };
/** How long a client rests after something went wrong, so that a fault does not become a flood. */
const REST = 100;

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(answer: Answer): void;
};
const tally = emptyTally();
const versions: Record<Kind, Versions> = {
  hello: new Versions(new Moves()),
  bulk: new Versions(new Moves()),
  activated: new Versions(new Moves()),
  staying: new Versions(new Moves()),
};
const counts: Record<Kind, number> = { hello: 0, bulk: 0, activated: 0, staying: 0 };
const clients: Promise<void>[] = [];
let ending = false;

const methods: Methods = {
  begin(beginning) {
    const random = new Random(beginning.seed);
    for (let index = 0; index < beginning.clients; index++) {
      clients.push(client(index, beginning, random.fork()));
    }
    const { keepAlive, ports: { staying: port } } = beginning;
    if (port === undefined) return;
    counts.staying = keepAlive;
    for (let index = 0; index < keepAlive; index++) {
      clients.push(stay({
        ...{ port, tally, versions: versions.staying, random: random.fork() },
        isOver: () => ending,
      }));
    }
  },
  served: (kind, version) => versions[kind].answered(version, counts[kind]),
  holding: (kind, next) => versions[kind].holding(next),
  opening: (kind, version) => versions[kind].opening(version),
  moving: (kind, isMoving) => versions[kind].moves.moving(isMoving),
  tally: () => tally,
  lastCloses: () => ({
    hello: versions.hello.lastCloses,
    bulk: versions.bulk.lastCloses,
    activated: versions.activated.lastCloses,
    staying: versions.staying.lastCloses,
  }),
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

async function client(
  index: number,
  { ports, longStreams }: Beginning,
  random: Random,
): Promise<void> {
  const kind = kindOf(index, ports);
  counts[kind]++;
  const inBulk = longStreams ? visitInBulkForLong : visitInBulk;
  const inWords = index % ONE_IN.lingers === 1 ? visitForLong : visitShortly;
  const act = kind === "bulk" ? inBulk : inWords;
  while (!ending) {
    const { refused, reset, truncated, wrong } = tally;
    await visit(act, ports[kind] ?? 0, versions[kind], tally, random);
    const faults = tally.refused + tally.reset + tally.truncated + tally.wrong;
    if (faults > refused + reset + truncated + wrong) await pause(REST);
  }
}

/** To which service this client goes. */
function kindOf(index: number, ports: Beginning["ports"]): Kind {
  if (index % ONE_IN.bulk === 0) return "bulk";
  return ports.activated !== undefined && Math.floor(index / ONE_IN.activated) % 2 === 1
    ? "activated"
    : "hello";
}
