/**
 * Which relay a proxy works with.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { whyNoEpoll } from "../linux/available.ts";
import type { ListenAt, Relay, RelayEvents, RelayOptions } from "./relay.ts";

/** Makes a relay that listens, and holds. */
export type RelayMaker = (
  at: ListenAt,
  options: RelayOptions,
  events: RelayEvents,
) => Promise<Relay>;

/** The relay that was chosen. */
export interface Choice {
  readonly kind: Relay["kind"];
  /** Why it is not the epoll relay, which nobody had asked not to have; `null` if it is no stopgap. */
  readonly whyNoEpoll: string | null;
}

/**
 * Chooses the relay that was asked for, or else the best that can run here.
 *
 * @param whyNot why the epoll relay cannot run here; `null` if it can
 * @throws {Failure} when the one that was asked for cannot run here
 */
export function chooseRelay(
  wanted: Relay["kind"] | undefined,
  whyNot: string | null = whyNoEpoll(),
): Choice {
  if (wanted === "portable") return { kind: "portable", whyNoEpoll: null };
  if (whyNot === null) return { kind: "epoll", whyNoEpoll: null };
  if (wanted === undefined) return { kind: "portable", whyNoEpoll: whyNot };
  throw new Failure(`The epoll relay cannot run here: ${whyNot}; --relay portable runs everywhere`);
}

/** How to make a relay of this kind; only what that is made of is loaded. */
export async function maker(kind: Relay["kind"]): Promise<RelayMaker> {
  if (kind === "portable") return (await import("./portable/relay.ts")).PortableRelay.listen;
  // Not before: what it is made of can only be loaded where it can run.
  const { EpollRelay } = await import("./epoll/relay.ts");
  return (...parts) => EpollRelay.listen(...parts);
}
