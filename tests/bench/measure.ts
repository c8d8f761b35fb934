import { tell } from "../../lib/commands/output.ts";
import { messageOf } from "../../lib/message_of.ts";
import type { Contender } from "./contenders/contender.ts";
import type { Numbers, Turns } from "./figures.ts";
import { rotated } from "./rotated.ts";
import type { Row } from "./rows/row.ts";
import type { Stage } from "./stage.ts";

/** A contender that could not be measured. */
export interface Failed {
  readonly contender: string;
  readonly row: string;
  readonly message: string;
}

/**
 * Measures a row in turns: in each of them every contender once, each time with another one first.
 * A contender that fails is told of, and left out for the rest of the row.
 */
export async function measure(
  stage: Stage,
  row: Row,
  contenders: readonly Contender[],
  { turns, seconds }: { readonly turns: number; readonly seconds: number },
): Promise<{ turns: Turns; failed: Failed[] }> {
  const failed: Failed[] = [];
  let left = contenders.filter(({ kind }) =>
    kind === "ours" || row.whom === "all" || (row.whom === "proxies" && kind === "peer")
  );
  const numbers: Record<string, Numbers[]> = {};
  const one = async (contender: Contender) => {
    try {
      (numbers[contender.name] ??= []).push(await row.measure(stage, contender, seconds));
    } catch (error) {
      const words = stage.lastWords(contender);
      const message = messageOf(error) + (words === null ? "" : `; ${words}`);
      tell(`${row.name}: ${contender.name} failed: ${message}`);
      failed.push({ contender: contender.name, row: row.name, message });
      left = left.filter((other) => other !== contender);
    }
  };
  try {
    if (row.atOnce) {
      tell(`${row.name}: all at once`);
      await Promise.all(left.map(one));
    } else {
      for (let turn = 0; turn < turns && left.length > 0; turn++) {
        tell(`${row.name}: turn ${turn + 1} of ${turns}`);
        for (const contender of rotated(left, turn)) await one(contender);
      }
    }
  } finally {
    await stage.clear();
  }
  return { turns: numbers, failed };
}
