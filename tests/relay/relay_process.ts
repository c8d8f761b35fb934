/**
 * A relay in a process of its own, for what can only be seen from outside: memory, descriptors,
 * time of the processor.
 *
 * Its arguments are the relay's kind and the upstream as `HOST:PORT`. It says where it listens, and
 * then answers each line of stdin, a command, with its numbers. Once it was told to shut down,
 * nothing should keep it.
 *
 * @module
 */

import { createInterface } from "node:readline";
import process from "node:process";
import { formatAddress, parseAddress } from "../../lib/address.ts";
import { type Kind, RELAYS } from "./relays.ts";

const [kind, upstream] = Deno.args as [Kind, string];
let full = 0;
let failures = 0;
let turnedAway = 0;
const relay = await RELAYS[kind]({ host: "127.0.0.1", port: 0 }, {
  upstream: parseAddress(upstream),
  connectTimeout: 10_000,
  idleTimeout: null,
  halfCloseTimeout: 60_000,
  maxConnections: null,
  threads: 1,
  keepAlive: null,
  userTimeout: null,
}, {
  noneActive() {},
  opened() {},
  closed() {},
  connectFailed() {
    failures++;
  },
  gaveUp() {},
  released() {},
  full() {
    full++;
  },
  queueFilling() {},
  broken(error) {
    say({ broken: error.message });
  },
});
await relay.open();
say({ listen: formatAddress(relay.listen) });

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "hold") await relay.hold();
  if (line === "open") await relay.open();
  if (line === "stop listening") turnedAway = await relay.stopListening();
  if (line === "shut down") await relay.shutDown();
  const { active, queued, counters } = relay;
  const { accepted, closed } = counters;
  say({ active, queued, failures, full, turnedAway, accepted, closed });
  if (line === "shut down") process.stdin.destroy();
}

// Whoever started it is gone.
await relay.shutDown();

function say(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}
