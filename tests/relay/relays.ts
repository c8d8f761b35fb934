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
  // Only where it is wanted: importing it needs Linux.
  epoll: async (at, options, events) => {
    const { EpollRelay } = await import("../../lib/relay/epoll/relay.ts");
    return await EpollRelay.listen(at, options, events);
  },
} satisfies Partial<Record<Relay["kind"], MakeRelay>>;

/** The kind of a relay that can be made. */
export type Kind = keyof typeof RELAYS;
