/**
 * A relay in a process of its own, for what can only be seen from outside: memory, descriptors,
 * time of the processor.
 *
 * Each line of its stdin is a command, and answered. The first says what relay there is to be, in
 * JSON: its kind, the upstream as `HOST:PORT`, and its other options; the answer is where that listens.
 * The others are answered with its numbers. After `end` there can be another relay. Once one was told
 * to shut down, nothing should keep the process.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../lib/address.ts";
import type { EpollRelay } from "../../lib/relay/epoll/relay.ts";
import type { Relay, RelayOptions } from "../../lib/relay/relay.ts";
import { suspend } from "./letting_go.ts";
import { plainOptions, UNHEARD } from "./plain.ts";
import { type Kind, RELAYS } from "./relays.ts";

/** What relay there is to be. */
export interface Beginning {
  readonly kind: Kind;
  readonly upstream: string;
  readonly settings: Partial<RelayOptions>;
}

if (import.meta.main) {
  // Deno has nothing to install them with once descriptors have run out, and panics.
  const ignore = () => {};
  Deno.addSignalListener("SIGUSR2", ignore);
  for (let line = await nextLine(); line !== null; line = await nextLine()) {
    if (await serve(JSON.parse(line)) === "shut down") break;
  }
  Deno.removeSignalListener("SIGUSR2", ignore);
}

/** Does as it is told with one relay. @returns what the last was, with which that has ended */
async function serve({ kind, upstream, settings }: Beginning): Promise<string | null> {
  let full = 0;
  let failures = 0;
  let filling = 0;
  let turnedAway = 0;
  let broken: string | null = null;
  const relay = await RELAYS[kind]({ host: "127.0.0.1", port: 0 }, {
    ...plainOptions(parseAddress(upstream)),
    ...settings,
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
    queueFilling() {
      filling++;
    },
    broken(error) {
      broken = error.message;
    },
  });
  await relay.open();
  say({ listen: formatAddress(relay.listen) });

  for (;;) {
    const line = await nextLine();
    if (line === "hold") await relay.hold();
    if (line?.startsWith("hold ")) await relay.hold(suspend(Number(line.slice(5))));
    if (line === "open") await relay.open();
    if (line === "freeze") await (relay as EpollRelay).freeze();
    if (line === "thaw") await (relay as EpollRelay).thaw();
    const killed = line?.startsWith("kill ") ? kill(relay, Number(line.slice(5))) : null;
    if (line?.startsWith("close idle ")) await relay.closeIdle(Number(line.slice(11)), "drain");
    if (line === "stop listening") turnedAway = await relay.stopListening();
    const isLast = line === null || line === "shut down" || line === "end";
    if (isLast) await relay.shutDown();
    // Whoever started it is gone.
    if (line === null) return null;
    const { active, idleFor, queued, suspended, counters } = relay;
    say({
      threads: relay.threads,
      active,
      idleFor,
      queued,
      suspended,
      failures,
      full,
      filling,
      turnedAway,
      killed,
      broken,
      ...counters,
    });
    // If it was shut down nothing is read any more, so only what it left behind can keep this process.
    if (isLast) return line;
  }
}

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
function kill(relay: Relay, number: number): string | null {
  const connections = [...relay.connections()];
  const connection = connections[number % connections.length];
  return connection !== undefined && relay.close(connection.id, "killed") ? connection.peer : null;
}

function say(what: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
}
