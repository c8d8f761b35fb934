/**
 * Relays that hold and open all the time, so that whenever their process is stopped some of them are
 * in the middle of that. Its arguments are their kind and the upstream; it says where the first one
 * listens. When stdin has a byte they come to rest, and when it ends it says how it went.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../../lib/address.ts";
import type { Relay } from "../../../lib/relay/relay.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { type Kind, RELAYS } from "../relays.ts";

const RELAYS_AT_ONCE = 8;

const [kind, upstream] = Deno.args as [Kind, string];
let broken = "no";
let resting = false;
let holds = 0;
const make = () =>
  RELAYS[kind]({ host: "127.0.0.1", port: 0 }, plainOptions(parseAddress(upstream)), {
    ...UNHEARD,
    broken(error) {
      broken = error.message;
    },
  });
const relays = await Promise.all(Array.from({ length: RELAYS_AT_ONCE }, make));
for (const relay of relays) await relay.open();
say(formatAddress((relays[0] as Relay).listen));
const over = (async () => {
  for await (const _ of Deno.stdin.readable) resting = true;
})();
await Promise.all(relays.map(async (relay) => {
  for (; !resting && broken === "no"; holds++) {
    await relay.hold();
    await relay.open();
  }
}));
await over;
for (const relay of relays) await relay.shutDown();
say(`holds: ${holds}, broken: ${broken}`);

function say(what: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what}\n`));
}
