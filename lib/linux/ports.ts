/** The ports that the system gives to clients, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The ports that the system gives to clients (ip_local_port_range, ip(7)); all, if it hides them. */
export function clientPorts(): PortRange {
  try {
    const text = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
    const [first, last] = text.trim().split(/\s+/).map(Number);
    if (first !== undefined && last !== undefined) return { first, last };
  } catch { /* no /proc */ }
  return { first: 1, last: 65535 };
}
