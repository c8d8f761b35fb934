import type { ConnectionView } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { connectionTable, printResult } from "./output.ts";

/** `proxyctl connections` */
export async function connections(
  proxy: ControlClient,
  options: { json?: boolean },
): Promise<void> {
  const result = await proxy.json<{ connections: ConnectionView[] }>("GET", "/v1/connections");
  const { connections } = result;
  const text = connections.length === 0 ? "No active connections" : connectionTable(connections);
  printResult(options.json, connections, text);
}
