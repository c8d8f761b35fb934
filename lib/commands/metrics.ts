import type { ControlClient } from "../control/client.ts";
import { print } from "./output.ts";

/** `proxyctl metrics` */
export async function metrics(proxy: ControlClient): Promise<void> {
  print(await proxy.text("GET", "/metrics"));
}
