import assert from "node:assert/strict";
import type { Capacity } from "../../../lib/relay/epoll/capacity.ts";
import { limited, said } from "../../linux/limited.ts";

const module = new URL("../../../lib/relay/epoll/capacity.ts", import.meta.url);

/** What a process with so many descriptors finds it has room for, asked again and again. */
async function capacities(
  descriptors: number,
  questions: readonly (readonly [wanted: number | null, threads: number])[],
): Promise<Capacity[]> {
  const script = `
    const { capacity } = await import("${module}");
    const questions = ${JSON.stringify(questions)};
    console.log(JSON.stringify(questions.map((question) => capacity(...question))));`;
  return JSON.parse(await said(limited(descriptors), script));
}

const WANTED = [null, 1, 100, 1000, 1_000_000];
const THREADS = [1, 2, 8, 64];
const QUESTIONS = WANTED.flatMap((wanted) => THREADS.map((threads) => [wanted, threads] as const));

/** What the rest of the process may need at the least: control connections, files, event loops. */
const REST = 32;

for (const descriptors of [96, 300, 1024, 4096]) {
  Deno.test(`with ${descriptors} descriptors there is room for some, and never for more than those`, async () => {
    for (const [index, found] of (await capacities(descriptors, QUESTIONS)).entries()) {
      const [wanted = null, threads = 1] = QUESTIONS[index] ?? [];
      const { connections, pipes } = found;
      const what = JSON.stringify({ wanted, threads, ...found });
      assert(connections >= 1 && pipes >= 1, what);
      assert(connections <= (wanted ?? Infinity), what);
      // So many threads that one pipe for each is too much are nobody's wish.
      if (threads * 2 > descriptors / 8) continue;
      assert(2 * connections <= found.descriptors, what);
      assert(found.descriptors + 2 * pipes * threads + REST <= descriptors, what);
    }
  });
}

Deno.test("where there are descriptors enough there is room for all who are wanted", async () => {
  assert.deepEqual(await capacities(4096, [[100, 1], [1000, 4]]), [
    { connections: 100, pipes: 64, descriptors: 4096 - 128 - 128 },
    { connections: 1000, pipes: 64, descriptors: 4096 - 128 - 512 },
  ]);
});
