import { PortableRelay } from "../../lib/relay/portable/relay.ts";
import type { RelayMaker } from "../../lib/relay/choose.ts";
import type { Relay } from "../../lib/relay/relay.ts";

/** The kind of a relay that can be made. */
export type Kind = "portable" | "epoll" | "epoll in 2 threads";

/** Gives a relay so many threads. */
export type ThreadsFrom = (count: number) => Worker[];

/** Every relay there is, by its kind. */
export const RELAYS: Record<
  Kind,
  (...parts: [...Parameters<RelayMaker>, threadsFrom?: ThreadsFrom | undefined]) => Promise<Relay>
> = {
  portable: (at, options, events) => PortableRelay.listen(at, options, events),
  epoll,
  "epoll in 2 threads": (at, options, events, threadsFrom) =>
    epoll(at, { ...options, threads: 2 }, events, threadsFrom),
};

async function epoll(...[at, options, events, threadsFrom]: Parameters<typeof RELAYS[Kind]>) {
  // Only where it is wanted: importing it needs Linux.
  const { EpollRelay } = await import("../../lib/relay/epoll/relay.ts");
  return await EpollRelay.listen(at, options, events, threadsFrom?.(options.threads));
}
