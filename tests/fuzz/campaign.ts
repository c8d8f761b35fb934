/**
 * Round after round through one relay.
 *
 * @module
 */

import { messageOf } from "../../lib/message_of.ts";
import { RelayInProcess } from "../relay/relay_in_process.ts";
import type { Kind } from "../relay/relays.ts";
import { Random } from "../storm/random.ts";
import type { AnotherUser } from "../support/another_user.ts";
import { Aftermath } from "./aftermath.ts";
import { Crowd } from "./crowd.ts";
import type { End } from "./end.ts";
import { mayReset } from "./forgiven.ts";
import { Operator } from "./operator.ts";
import { describePair, faultsOf, isBrokenOff, isPeaceful } from "./pair.ts";
import { makePlan } from "./plan.ts";
import { emptyReceipt, type Receipt } from "./receipt.ts";
import { Round } from "./round.ts";
import { rejections, strangerFaults } from "./strangers.ts";

/** The first round is to warm up; it takes a second one to compare. */
const LEAST_ROUNDS = 2;

/** How many connections are described that went wrong. */
const MOST_DESCRIBED = 5;

/** What is to be fuzzed, and how. */
export interface FuzzOptions {
  readonly kind: Kind;
  readonly threads: number;
  /** For how long new rounds are begun. */
  readonly seconds: number;
  readonly seed: number;
  /** How many connections there are at the same time, at the most. */
  readonly connections: number;
  /** As whom the relay runs; `null` as who we are. */
  readonly user: AnotherUser | null;
}

/**
 * Fuzzes a relay, until the time is over or something is wrong.
 *
 * @param tell is told after each round
 */
export async function fuzz(
  { kind, threads, seconds, seed, connections, user }: FuzzOptions,
  tell: (receipt: Receipt) => void,
): Promise<Receipt> {
  const receipt = emptyReceipt();
  const random = new Random(seed);
  using crowd = new Crowd();
  await using relay = await RelayInProcess.start(kind, crowd.service, [], {
    settings: { threads },
    user,
  });
  const aftermath = new Aftermath(relay);
  const end = performance.now() + seconds * 1000;
  while (receipt.rounds < LEAST_ROUNDS || performance.now() < end) {
    const operator = new Operator(relay, random.fork());
    const round = new Round(makePlan(random.fork(), connections), receipt.clients, {
      crowd,
      relay: relay.listen,
      operator,
    });
    try {
      await round.play(connections);
      count(receipt, kind, round, operator);
      receipt.failures.push(...faultsIn(kind, round, operator));
      const faults = await aftermath.look(receipt, () => crowd.turn(0));
      receipt.failures.push(...faults.map((fault) => `after a round, of the relay: ${fault}`));
      Object.assign(receipt, { first: aftermath.first, last: aftermath.last });
    } catch (error) {
      receipt.failures.push(messageOf(error), ...faultsIn(kind, round, operator));
    }
    if (relay.complaints !== "") receipt.failures.push(`the relay says: ${relay.complaints}`);
    tell(receipt);
    if (receipt.failures.length > 0) break;
  }
  return receipt;
}

function faultsIn(kind: Kind, round: Round, operator: Operator): string[] {
  const faulty = round.pairs.flatMap((pair) => {
    const faults = pair.client === null ? [] : faultsOf(kind, pair);
    return faults.length > 0 ? [`${faults.join("; ")}\n${describePair(pair)}`] : [];
  });
  const more = faulty.length - MOST_DESCRIBED;
  return [
    ...round.faults,
    ...strangerFaults(kind, round, operator),
    ...faulty.slice(0, MOST_DESCRIBED),
    ...more > 0 ? [`and ${more} connections more`] : [],
  ];
}

function count(receipt: Receipt, kind: Kind, round: Round, { holds, kills }: Operator): void {
  const { pairs, silent, strangers, plan } = round;
  receipt.rounds++;
  receipt.clients += plan.visitors.length;
  receipt.holds += holds;
  receipt.kills += kills;
  receipt.rejected += rejections(round);
  receipt.silent += silent.length;
  for (const pair of pairs) {
    if (isPeaceful(pair)) receipt.peaceful++;
    else if (isBrokenOff(pair)) receipt.brokenOff++;
    else if (mayReset(kind, pair)) receipt.forgiven++;
    const life = pair.client === null ? 0 : pair.client.lastMove - pair.client.began;
    receipt.longest = Math.max(receipt.longest, life);
    if (pair.client !== null) add(pair.client, receipt.up, receipt.down);
    if (pair.service !== null) add(pair.service, receipt.down, receipt.up);
  }
  const [out, back] = plan.introducer === "client"
    ? [receipt.down, receipt.up]
    : [receipt.up, receipt.down];
  for (const end of strangers) add(end, out, back);
}

function add(end: End, outgoing: { sent: number }, incoming: { received: number }): void {
  outgoing.sent += end.sent;
  incoming.received += end.received;
}
