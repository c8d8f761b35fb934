import { Failure } from "../failure.ts";
import { runningIn } from "../control/running_in.ts";
import { defaultDirectories } from "../runtime_directory/paths.ts";

/** How long a proxy may take to say where it listens, in milliseconds. */
const PATIENCE = 1000;

/**
 * Which proxy of ours listens on a port, as far as can be seen from the default directories.
 *
 * @returns `null` if none does
 */
export async function whoListens(port: number): Promise<string | null> {
  const { own, roots } = await defaultDirectories().catch(() => ({ own: [], roots: [] }));
  for (const { directory, status } of await runningIn([...own, ...roots], PATIENCE)) {
    if (status instanceof Failure || !status.listen.endsWith(`:${port}`)) continue;
    const what = status.pid === status.keeper ? "keeper of a parked proxy" : "proxy";
    return `the ${what} with process ${status.pid} and ${directory}`;
  }
  return null;
}
