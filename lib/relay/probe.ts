import type { Address } from "../address.ts";
import { connect } from "./portable/connect.ts";
import { Resolver } from "./resolver.ts";

/**
 * Whether a service accepts connections; it is tried again and again until it does.
 *
 * @param timeout how long to try, in milliseconds
 */
export async function probe(address: Address, timeout: number): Promise<boolean> {
  const resolver = new Resolver(address.host);
  const connected = await connect(
    () => ({ address, resolver }),
    timeout,
    () => {},
    new AbortController().signal,
  );
  connected?.socket.destroy();
  return connected !== null;
}
