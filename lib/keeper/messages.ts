/**
 * What a parked proxy and its keeper say to each other once the handover between them is done.
 *
 * ```
 * proxy                                       keeper
 *   stand_in ────────────────────────────────▶ binds the sockets of the runtime directory
 *            ◀──────────────────────────────── standing_in
 *   end      ────────────────────────────────▶ ends
 * ```
 *
 * A proxy that is gone without a word is stood in for as well; with a keeper that is gone, the proxy
 * is what it was before.
 *
 * @module
 */

import * as v from "valibot";

const schema = v.variant("type", [
  v.strictObject({ type: v.literal("stand_in") }),
  v.strictObject({ type: v.literal("standing_in") }),
  v.strictObject({ type: v.literal("end") }),
]);

/** Any message between a parked proxy and its keeper. */
export type StandbyMessage = v.InferOutput<typeof schema>;

/** Checks what came. @returns `null` if it is none of these messages */
export function parseStandbyMessage(json: unknown): StandbyMessage | null {
  const result = v.safeParse(schema, json);
  return result.success ? result.output : null;
}
