import { connect } from "./portable/connect.ts";
import type { Upstream } from "./upstream.ts";

/**
 * Whether a service accepts connections; it is tried again and again until it does.
 *
 * @param timeout how long to try, in milliseconds
 */
export async function probe(upstream: Upstream, timeout: number): Promise<boolean> {
  const never = new AbortController().signal;
  const connected = await connect(upstream, timeout, () => {}, never);
  connected?.socket.destroy();
  return connected !== null;
}
