import { now } from "./clock.ts";
import { sendDatagram } from "./unix_socket.ts";

/** What a service manager can be told (sd_notify(3)). */
export type ServiceState =
  | { readonly state: "ready" }
  /** This process is the service from now on, and the one before may end. */
  | { readonly state: "succeeded" }
  | { readonly state: "reloading" }
  | { readonly state: "stopping" }
  /** Words for people. */
  | { readonly state: "status"; readonly text: string };

/** How long a service manager that reads nothing may hold everything up, in milliseconds. */
const PATIENCE = 100;

/**
 * Tells the service manager how this process is doing, if it wants to know. That nobody hears it is
 * no reason to fail.
 *
 * @param socket where it wants to hear that
 */
export function sendServiceState(
  told: ServiceState,
  socket: string | undefined = Deno.env.get("NOTIFY_SOCKET"),
): void {
  if (!socket) return;
  // Words for people come again and again, and are worth no waiting.
  const patience = told.state === "status" ? 1 : PATIENCE;
  sendDatagram(socket, new TextEncoder().encode(linesOf(told).join("\n")), patience);
}

function linesOf(told: ServiceState): string[] {
  switch (told.state) {
    case "ready":
      return ["READY=1"];
    case "succeeded":
      return [`MAINPID=${Deno.pid}`];
    case "reloading":
      return ["RELOADING=1", `MONOTONIC_USEC=${Math.floor(now() * 1000)}`];
    case "stopping":
      return ["STOPPING=1"];
    case "status":
      return [`STATUS=${told.text}`];
  }
}
