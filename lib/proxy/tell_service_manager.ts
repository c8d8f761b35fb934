import { whyNoEpoll } from "../linux/available.ts";
import type { ServiceState } from "../linux/service_manager.ts";

/** Whether there is a service manager that wants to know how this process is doing. */
export function hasServiceManager(): boolean {
  return Boolean(Deno.env.get("NOTIFY_SOCKET")) && whyNoEpoll() === null;
}

/** Tells the service manager how this process is doing, if there is one that wants to know. */
export async function tellServiceManager(told: ServiceState): Promise<void> {
  if (!hasServiceManager()) return;
  // Not before: what it is made of can only be loaded where it can run.
  const { sendServiceState } = await import("../linux/service_manager.ts");
  sendServiceState(told);
}
