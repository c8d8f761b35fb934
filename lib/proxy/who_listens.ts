import { ControlClient } from "../control/client.ts";
import type { Status } from "../control/api.ts";
import { defaultDirectories } from "../runtime_directory.ts";

/** How long a proxy may take to say where it listens, in milliseconds. */
const PATIENCE = 1000;

/**
 * Which proxy of ours listens on a port, as far as can be seen from the default directories.
 *
 * @returns `null` if none does
 */
export async function whoListens(port: number): Promise<string | null> {
  const directories = await defaultDirectories().catch(() => []);
  const found = await Promise.all(directories.map(async (directory) => {
    try {
      const client = new ControlClient(directory, PATIENCE);
      const { listen, pid } = await client.json<Status>("GET", "/v1/status");
      return listen.endsWith(`:${port}`) ? `the proxy with process ${pid} and ${directory}` : null;
    } catch {
      return null;
    }
  }));
  return found.find((who) => who !== null) ?? null;
}
