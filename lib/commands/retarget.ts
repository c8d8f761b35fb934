import { type Address, formatAddress } from "../address.ts";
import type { ControlClient } from "../control/client.ts";
import { printResult } from "./output.ts";

/** `proxyctl retarget` */
export async function retarget(
  proxy: ControlClient,
  upstream: Address,
  options: { json?: boolean },
): Promise<void> {
  const result = await proxy.json<{ upstream: string; previous: string }>("PUT", "/v1/upstream", {
    upstream: formatAddress(upstream),
  });
  const text = `New connections go to ${result.upstream} (before: ${result.previous})`;
  printResult(options.json, result, text);
}
