/** The first descriptor that a service manager passes on, by convention. */
export const FIRST_INHERITED_DESCRIPTOR = 3;

/** Environment variables, as `Deno.env` has them. */
interface Environment {
  get(name: string): string | undefined;
}

/**
 * How many sockets a service manager has passed us. What was meant for another process, and reached
 * us only because the environment is inherited, does not count.
 */
export function inheritedSockets(environment: Environment = Deno.env, pid = Deno.pid): number {
  if (environment.get("LISTEN_PID") !== String(pid)) return 0;
  const count = environment.get("LISTEN_FDS") ?? "";
  return /^\d+$/.test(count) ? Number(count) : 0;
}

/** Whether a service manager has passed us a listening socket. */
export function isSocketActivated(environment: Environment = Deno.env, pid = Deno.pid): boolean {
  return inheritedSockets(environment, pid) > 0;
}
