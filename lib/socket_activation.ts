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
  return /^\d{1,5}$/.test(count) ? Number(count) : 0;
}

/** Whether a service manager has passed us a listening socket. */
export function isSocketActivated(environment: Environment = Deno.env, pid = Deno.pid): boolean {
  return inheritedSockets(environment, pid) > 0;
}

/** A socket that a service manager has passed us. */
export interface InheritedSocket {
  readonly descriptor: number;
  /** What the service manager calls it; `null` if it does not say (sd_listen_fds_with_names(3)). */
  readonly name: string | null;
}

/** The sockets that a service manager has passed us; see {@linkcode inheritedSockets}. */
export function listInheritedSockets(
  environment: Environment = Deno.env,
  pid = Deno.pid,
): InheritedSocket[] {
  const names = (environment.get("LISTEN_FDNAMES") ?? "").split(":");
  return Array.from({ length: inheritedSockets(environment, pid) }, (_, index) => ({
    descriptor: FIRST_INHERITED_DESCRIPTOR + index,
    name: names[index] || null,
  }));
}
