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
 * For `testWith`: why what is tried briefly only in its commonest setting (one relay, one process
 * manager, one signal, one moment) is not tried in others; `null` if it is. On the executables it is.
 */
export const onlyForLong: string | null = isLong || Deno.env.has("EXECUTABLES")
  ? null
  : "only for long";
