import { Failure } from "../failure.ts";
import { chooseRelay } from "../relay/choose.ts";
import type { ProxyOptions } from "./options.ts";

/**
 * Sees to it that there can be as many connections as were asked for, where that is known beforehand.
 *
 * @throws {Failure} when there are not the descriptors
 */
export async function refuseTooMany(
  { maxConnections, relay, threads }: ProxyOptions,
): Promise<void> {
  // The portable relay learns only with time how many there are.
  if (maxConnections === undefined || chooseRelay(relay).kind === "portable") return;
  // Not before: what it is made of can only be loaded where it can run.
  const { capacity } = await import("../relay/epoll/capacity.ts");
  const { connections } = capacity(maxConnections, threads === "auto" ? 1 : threads);
  if (connections >= maxConnections) return;
  throw new Failure(
    `--max-connections ${maxConnections} is more than there are descriptors for, two for each ` +
      `connection: ask for ${connections} at the most, or raise the limit (ulimit -n, LimitNOFILE=)`,
  );
}
