/** Below what systems give to clients, so that none gets a port while its server is away. */
const LOWEST = 15_000;
const HIGHEST = 30_000;

/** A port that nobody listens on, and that no client gets. */
export function freePort(): number {
  for (;;) {
    const [random = 0] = crypto.getRandomValues(new Uint16Array(1));
    const port = LOWEST + random % (HIGHEST - LOWEST);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
