import type { Random } from "../storm/random.ts";

/** One of a list that is not empty, each as likely as the others. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.between(0, list.length - 1)] as T;
}
