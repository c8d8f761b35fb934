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
} satisfies Partial<Record<Relay["kind"], MakeRelay>>;

/** The kind of a relay that can be made. */
export type Kind = keyof typeof RELAYS;
