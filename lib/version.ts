import config from "../deno.json" with { type: "json" };

/** The version of the four programs. */
export const VERSION: string = config.version;
