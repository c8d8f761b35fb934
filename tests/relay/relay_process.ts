/**
 * A relay in a process of its own, for what can only be seen from outside: memory, descriptors,
 * time of the processor.
 *
 * Its arguments are the relay's kind, the upstream as `HOST:PORT`, and how many threads. It says
 * where it listens, and then answers each line of stdin, a command, with its numbers. Once it was
 * told to shut down, nothing should keep it.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../lib/address.ts";
import { plainOptions, UNHEARD } from "./plain.ts";
import { type Kind, RELAYS } from "./relays.ts";

const [kind, upstream, threads] = Deno.args as [Kind, string, string];
let full = 0;
let failures = 0;
let turnedAway = 0;
let broken: string | null = null;
const relay = await RELAYS[kind]({ host: "127.0.0.1", port: 0 }, {
  ...plainOptions(parseAddress(upstream)),
  threads: Number(threads),
}, {
  ...UNHEARD,
  opened() {},
  closed() {},
  connectFailed() {
    failures++;
  },
  full() {
    full++;
  },
  broken(error) {
    broken = error.message;
  },
});
await relay.open();
say({ listen: formatAddress(relay.listen) });

for (let line = await nextLine(); line !== null; line = await nextLine()) {
  if (line === "hold") await relay.hold();
  if (line === "open") await relay.open();
  const killed = line.startsWith("kill ") ? kill(Number(line.slice(5))) : null;
  if (line === "stop listening") turnedAway = await relay.stopListening();
  if (line === "shut down") await relay.shutDown();
  const { active, queued, counters } = relay;
  say({
    threads: relay.threads,
    active,
    queued,
    failures,
    full,
    turnedAway,
    killed,
    broken,
    ...counters,
  });
  // Nothing is read any more, so only what the relay left behind can keep this process.
  if (line === "shut down") break;
}

// Whoever started it is gone.
await relay.shutDown();

/** The next line of stdin; each is written at once, and answered before there is another. */
async function nextLine(): Promise<string | null> {
  const buffer = new Uint8Array(1024);
  const count = await Deno.stdin.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count)).trimEnd();
}

/**
 * Cuts an active connection, found by any number.
 *
 * @returns the client's address; `null` if there was none to cut
 */
function kill(number: number): string | null {
  const connections = relay.connections();
  const connection = connections[number % connections.length];
  return connection !== undefined && relay.close(connection.id, "killed") ? connection.peer : null;
}

function say(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}
