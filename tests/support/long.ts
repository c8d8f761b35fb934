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
 * For `testWith`: why what takes time, and is like what is tried briefly in a commoner setting (one
 * relay, one process manager, one signal, one moment), is not tried; `null` if it is. It is where
 * `$EVERY_SETTING` is set: on the executables, and on the oldest Deno.
 */
export const onlyForLong: string | null = isLong || Deno.env.has("EVERY_SETTING")
  ? null
  : "only for long";
