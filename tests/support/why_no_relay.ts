import { whyNoEpoll } from "../../lib/linux/available.ts";
import { onlyForLong } from "./long.ts";

/** Why what both relays do is not tried with this one: briefly, the portable one stands in for epoll's. */
export function whyNoRelay(relay: "epoll" | "portable"): string | null {
  const noEpoll = whyNoEpoll();
  if (relay === "epoll") return noEpoll;
  return noEpoll === null ? onlyForLong : null;
}
