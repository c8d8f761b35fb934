/**
 * Relays that hold and open all the time, so that whenever their process is stopped some of them are
 * in the middle of that. Its arguments are their kind and the upstream; it says where the first one
 * listens, and when stdin ends, how it went.
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
let stopped = false;
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
Deno.stdin.read(new Uint8Array(1)).then(() => stopped = true);
await Promise.all(relays.map(async (relay) => {
  for (; !stopped && broken === "no"; holds++) {
    await relay.hold();
    await relay.open();
  }
}));
for (const relay of relays) await relay.shutDown();
say(`holds: ${holds}, broken: ${broken}`);

function say(what: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what}\n`));
}
