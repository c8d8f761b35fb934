import * as v from "valibot";

const schema = v.variant("parked", [
  v.object({
    parked: v.literal(true),
    /** The process id of the keeper. */
    keeper: v.number(),
    /** When it gives up, in milliseconds since the epoch. */
    until: v.number(),
    /** How many clients wait. */
    queued: v.number(),
  }),
  v.object({ parked: v.literal(false), message: v.string(), exitCode: v.number() }),
]);

/** The one line that a keeper says to who started it. */
export type KeeperReport = v.InferOutput<typeof schema>;

/** Reads that line. @returns `null` if it is something else */
export function parseKeeperReport(line: string): KeeperReport | null {
  try {
    return v.parse(schema, JSON.parse(line));
  } catch {
    return null;
  }
}
