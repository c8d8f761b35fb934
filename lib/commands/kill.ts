import type { ControlClient } from "../control/client.ts";
import { printResult } from "./output.ts";

/** `proxyctl kill` */
export async function kill(
  proxy: ControlClient,
  id: number,
  options: { json?: boolean },
): Promise<void> {
  const result = await proxy.json("DELETE", `/v1/connections/${id}`);
  printResult(options.json, result, `Killed connection ${id}`);
}
