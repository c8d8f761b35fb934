import { CLOSE_REASONS, type CloseReason, type Counters } from "./relay.ts";

/** Where nothing has been counted. */
export const NO_COUNTERS: Counters = sumOf([]);

/** What several have counted, together. */
export function sumOf(all: readonly Counters[]): Counters {
  const sum = (number: (counters: Counters) => number) =>
    all.reduce((total, counters) => total + number(counters), 0);
  return {
    accepted: sum(({ accepted }) => accepted),
    bytesUp: sum(({ bytesUp }) => bytesUp),
    bytesDown: sum(({ bytesDown }) => bytesDown),
    connectFailures: sum(({ connectFailures }) => connectFailures),
    closed: Object.fromEntries(
      CLOSE_REASONS.map((reason) => [reason, sum(({ closed }) => closed[reason])]),
    ) as Record<CloseReason, number>,
  };
}
