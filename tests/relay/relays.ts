import { PortableRelay } from "../../lib/relay/portable/relay.ts";
import type { ListenAt, Relay, RelayEvents, RelayOptions } from "../../lib/relay/relay.ts";

/** Makes a relay that listens, and holds. */
export type MakeRelay = (
  at: ListenAt,
  options: RelayOptions,
  events: RelayEvents,
) => Promise<Relay>;

/** Every relay there is, by its kind. */
export const RELAYS = {
  portable: PortableRelay.listen,
  epoll,
  "epoll in 2 threads": (at, options, events) => epoll(at, { ...options, threads: 2 }, events),
} satisfies Record<string, MakeRelay>;

/** The kind of a relay that can be made. */
export type Kind = keyof typeof RELAYS;

async function epoll(...parts: Parameters<MakeRelay>): Promise<Relay> {
  // Only where it is wanted: importing it needs Linux.
  const { EpollRelay } = await import("../../lib/relay/epoll/relay.ts");
  return await EpollRelay.listen(...parts);
}
