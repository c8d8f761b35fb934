import { whyNoEpoll } from "../../lib/linux/available.ts";

/** Why no proxy can take over from another here; `null` if one can. */
export const whyNoTakeover: string | null = Deno.env.get("RELAY") === "portable"
  ? "RELAY is portable"
  : whyNoEpoll();
