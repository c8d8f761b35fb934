import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import type { RelayOptions } from "../../../lib/relay/relay.ts";
import { UNHEARD } from "../plain.ts";

/** A relay that serves. */
export async function openRelay(options: RelayOptions): Promise<EpollRelay> {
  const relay = await EpollRelay.listen({ host: "127.0.0.1", port: 0 }, options, UNHEARD);
  await relay.open();
  return relay;
}
