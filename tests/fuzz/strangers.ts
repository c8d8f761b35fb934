/**
 * What must be true of those of whom nobody can say which connection they belong to: one of its ends
 * went away too early. All that can be done is to count.
 *
 * @module
 */

import type { Kind } from "../relay/relays.ts";
import type { End } from "./end.ts";
import { mayConnectAgain, mayEndUnused } from "./forgiven.ts";
import type { Operator } from "./operator.ts";
import type { Round } from "./round.ts";

/** What is wrong with the ends that were never paired, once all are over. */
export function strangerFaults(kind: Kind, round: Round, operator: Operator): string[] {
  const { kills } = operator;
  const again = mayConnectAgain(kind, operator);
  const { plan, silent, strangers, arrived } = round;
  const lonely = lonelyServices(round);
  const serviceEnds = plan.introducer === "client" ? [...strangers] : lonely;
  const clientEnds = plan.introducer === "client" ? [] : [...strangers];
  const left = count(silent, ({ parted }) => parted === "leave");
  const rejected = rejections(round);
  return [
    ...atMost(
      arrived,
      "connections reached the service",
      plan.visitors.length + rejected + again,
      "were made, or made again after a hold, or because the service had broken them off at once",
    ),
    ...atMost(
      count(serviceEnds, ({ sawEnd }) => sawEnd),
      "times the service saw an end before the client had said anything",
      left + mayEndUnused(kind, round) + again,
      "clients ended like that",
    ),
    ...atMost(
      count(lonely, ({ sawReset }) => sawReset !== null),
      "times the service was reset before the client had said anything",
      silent.length + kills + again,
      "clients went away like that or were killed",
    ),
    ...atMost(
      count(clientEnds, ({ sawEnd }) => sawEnd),
      "times a client saw an end before the service had said anything",
      0,
      "were made",
    ),
    ...atMost(
      count(clientEnds, ({ sawReset }) => sawReset !== null),
      "times a client was reset before the service had said anything",
      rejected + kills,
      "services went away like that or were killed",
    ),
    ...atMost(
      count([...silent, ...strangers, ...lonely], ({ stuck }) => stuck !== null),
      "ends that never learned who they were were left waiting",
      0,
      "had reason to",
    ),
  ];
}

/** How often the service went away from a connection before the client had said anything. */
export function rejections(round: Round): number {
  return count(lonelyServices(round), ({ parted }) => parted !== null);
}

/** The service's ends whose clients are unknown; there are none unless the service speaks first. */
function lonelyServices({ pairs }: Round): End[] {
  return pairs.flatMap(({ client, service }) => client === null && service ? [service] : []);
}

function count(ends: readonly End[], condition: (end: End) => boolean): number {
  return ends.filter(condition).length;
}

function atMost(number: number, what: string, most: number, why: string): string[] {
  return number <= most ? [] : [`${number} ${what}, but only ${most} ${why}`];
}
