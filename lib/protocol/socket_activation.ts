/** The first descriptor that a service manager passes on, by convention. */
export const FIRST_INHERITED_DESCRIPTOR = 3;

/**
 * Whether a service manager has passed us a listening socket. What was meant for another process,
 * and reached us only because the environment is inherited, does not count.
 */
export function isSocketActivated(
  environment: { get(name: string): string | undefined } = Deno.env,
  pid = Deno.pid,
): boolean {
  return environment.get("LISTEN_PID") === String(pid) &&
    /^0*[1-9]\d*$/.test(environment.get("LISTEN_FDS") ?? "");
}
