import { serve, type ServeOptions } from "../../lib/serve/serve.ts";

/** Serves proxies on a port that the system chooses. Disposing of it ends that. */
export async function site(named: readonly string[], options: Partial<ServeOptions> = {}) {
  const served = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    passwordFile: null,
    allowedHosts: [],
    named,
    find: () => Promise.resolve([]),
    tell(message) {
      throw new Error(message);
    },
    ...options,
  });
  return { address: served.address, [Symbol.asyncDispose]: () => served.close() };
}
