import { setImmediate } from "node:timers/promises";
import { hostOf } from "../network.ts";
import { byOrder } from "../relay/order.ts";
import type { Connection, ConnectionOrder, Relay } from "../relay/relay.ts";
import { type PeerView, seconds, viewConnection } from "./api.ts";
import type { Listener } from "./http/messages.ts";

/** How many connections are told, or looked at, at once; then others have their turn. */
const AT_ONCE = 500;

/** Whose connections are listed. */
type Listed = Pick<Relay, "connections" | "held">;

/** The answer that lists connections: told in pieces, so that thousands of them hold up nobody. */
export async function tellConnections(
  connections: Iterable<Connection>,
  listener: Listener,
): Promise<void> {
  let piece = '{"connections":[';
  let told = 0;
  for (const connection of connections) {
    piece += `${told === 0 ? "" : ","}${JSON.stringify(viewConnection(connection))}`;
    if (++told % AT_ONCE !== 0) continue;
    if (!await listener.write(piece)) return;
    piece = "";
    await setImmediate();
  }
  await listener.write(`${piece}]}`);
}

/** Those that are active, then those that are held. @param most how many at the most */
export function* all(relay: Listed, most = Infinity): Generator<Connection> {
  let listed = 0;
  for (const connection of relay.connections(most)) {
    listed++;
    yield connection;
  }
  if (listed < most) yield* relay.held(most - listed);
}

/** The first ones of both, sorted. */
export async function sorted(
  relay: Listed,
  order: ConnectionOrder,
  most = Infinity,
): Promise<Connection[]> {
  const active = await gathered(relay.connections(most, order));
  const held = await gathered(relay.held(most, order));
  return [...active, ...held].sort(byOrder(order)).slice(0, most);
}

/** All connections of each client's address, those with the most first. */
export async function byPeer(
  connections: Iterable<Connection>,
  most = Infinity,
): Promise<PeerView[]> {
  const peers = new Map<string, PeerView>();
  for (const { peer, age, idle, bytesUp, bytesDown } of await gathered(connections)) {
    const host = hostOf(peer);
    const before = peers.get(host);
    peers.set(host, {
      peer: host,
      connections: (before?.connections ?? 0) + 1,
      oldestSeconds: Math.max(before?.oldestSeconds ?? 0, seconds(age)),
      longestIdleSeconds: Math.max(before?.longestIdleSeconds ?? 0, seconds(idle)),
      bytesUp: (before?.bytesUp ?? 0) + bytesUp,
      bytesDown: (before?.bytesDown ?? 0) + bytesDown,
    });
  }
  return [...peers.values()].sort((one, other) => other.connections - one.connections)
    .slice(0, most);
}

/** All of them, looked at in pieces: others have their turn in between. */
async function gathered(connections: Iterable<Connection>): Promise<Connection[]> {
  const looked: Connection[] = [];
  for (const connection of connections) {
    looked.push(connection);
    if (looked.length % AT_ONCE === 0) await setImmediate();
  }
  return looked;
}
