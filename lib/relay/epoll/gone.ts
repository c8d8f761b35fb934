import { hasEnded, hasPeer } from "../../linux/socket.ts";
import { hasFinished } from "../../linux/tcp_info.ts";

/**
 * Whether a client that is held is gone: it was reset, or has ended its direction with nothing left to
 * be read. So those are never served who only look whether somebody is there, as load balancers do.
 *
 * @param abortOnClose whether one that has ended its direction is gone whatever it had sent
 */
export function isGone(client: number, abortOnClose: boolean): boolean {
  return !hasPeer(client) || hasEnded(client) || abortOnClose && hasFinished(client);
}
