import { familyOf } from "./processes.ts";
import type { Standing } from "./standing.ts";
import type { Stage } from "./stage.ts";

/**
 * Counts the system calls of a contender and its children while something is done: exact, where times
 * are noisy. What is counted goes slowly meanwhile, so that more is found at once than otherwise.
 *
 * @param work gives how much was done
 * @throws {Deno.errors.NotFound} where there is no strace(1), or with what that says
 */
export async function countCalls(
  stage: Stage,
  { pid }: Pick<Standing, "pid">,
  work: () => Promise<number>,
): Promise<{ calls: number; done: number }> {
  const attach = familyOf(pid).flatMap((member) => ["-p", `${member}`]);
  await using strace = stage.run(["strace", "-f", "-c", ...attach]);
  // It names the threads, as many as there were, after all others.
  await strace.heard(/strace: Process \d+ attached/m);
  const done = await work();
  strace.kill("SIGTERM");
  const { stderr } = await strace.finished();
  const [, calls] = /^\s*100\.00\s+[\d.]+\s+\d*\s+(\d+)\s.*\btotal$/m.exec(stderr) ?? [];
  if (calls === undefined) throw new Error(`strace counted nothing: ${stderr.trim()}`);
  return { calls: Number(calls), done };
}
