/**
 * Whether what is tried at random, or again and again, is tried briefly or for long: `$LONG` is set by
 * `deno task test:long`, which runs the files of tests that import this.
 */
export const isLong: boolean = Deno.env.has("LONG");

/** How often something is tried, or for how many seconds: so briefly, or so long. */
export function brieflyOr(briefly: number, long: number): number {
  return isLong ? long : briefly;
}

/**
 * For `testWith`: why what takes long, and of which something alike is tried briefly as well, is not
 * tried; `null` if it is.
 */
export const onlyForLong: string | null = isLong ? null : "only for long";
