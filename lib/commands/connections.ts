import { type Command, Option } from "commander";
import { value, wholeNumber } from "../command_line.ts";
import type { ConnectionView, PeerView, Status } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { describeBytes } from "../bytes.ts";
import { describeDuration } from "../duration.ts";
import { hostOf, isOfNetwork, type Network, parseNetwork } from "../network.ts";
import { connectionTable, table } from "./output.ts";
import { peerProcesses, type Process } from "./peer_processes.ts";
import { aboutProxy, json } from "./verb.ts";
import { watch, watchOption } from "./watch.ts";

/** What they can be sorted by; the most comes first. */
const SORTED_BY = {
  age: ({ ageSeconds }: ConnectionView) => ageSeconds,
  idle: ({ idleSeconds }: ConnectionView) => idleSeconds,
  bytes: ({ bytesUp, bytesDown }: ConnectionView) => bytesUp + bytesDown,
};

interface ConnectionsOptions {
  readonly sort: keyof typeof SORTED_BY;
  readonly peer?: Network;
  readonly limit?: number;
  readonly group?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** A connection, with the process of its peer if that is known. */
type Listed = ConnectionView & { readonly process: Process | null };

/** All connections of a peer. */
interface Group extends PeerView {
  readonly processes: readonly Process[];
}

/** `proxyctl connections` */
export const connectionsVerb = aboutProxy({
  name: "connections",
  about: "list the connections, also those that are held",
  define: (command) =>
    peerOption(watchOption(json(command)))
      .addOption(
        new Option("--sort <by>", "which come first").choices(Object.keys(SORTED_BY))
          .default("age"),
      )
      .option("--limit <n>", "only the first of them", value(wholeNumber(1)))
      .option("--group", "a line for each peer, with all its connections"),
  run: (proxy, command) => connections(proxy, command.opts()),
});

/** Adds the option for those of a network. */
export function peerOption(command: Command): Command {
  return command.option(
    "--peer <network>",
    "only those of an address, or of a network such as 10.0.0.0/8",
    value(parseNetwork),
  );
}

/** The connections of a proxy, those of a network if one is given. */
export async function connectionsOf(
  proxy: ControlClient,
  network?: Network,
): Promise<ConnectionView[]> {
  const result = await proxy.json<{ connections: ConnectionView[] }>("GET", "/v1/connections");
  return result.connections.filter(({ peer }) =>
    network === undefined || isOfNetwork(network, hostOf(peer))
  );
}

async function connections(proxy: ControlClient, options: ConnectionsOptions): Promise<void> {
  await watch(async () => {
    const all = await connectionsOf(proxy, options.peer);
    const processes = all.length === 0 || proxy.isElsewhere
      ? new Map()
      : await peerProcesses((await proxy.json<Status>("GET", "/v1/status")).listen);
    const by = SORTED_BY[options.sort];
    const sorted = all.sort((a, b) => by(b) - by(a))
      .map((one) => ({ ...one, process: processes.get(one.peer) ?? null }));
    const shown = options.group ? grouped(sorted) : sorted;
    const first = shown.slice(0, options.limit);
    if (options.json) return JSON.stringify(first);
    if (first.length === 0) return "No connections";
    const more = shown.length - first.length;
    const rows = options.group ? groupTable(first as Group[]) : listedTable(first as Listed[]);
    return more === 0 ? rows : `${rows}\nand ${more} more`;
  }, options);
}

function listedTable(connections: readonly Listed[]): string {
  const names = connections.map(({ process }) => process && nameOf(process));
  return connectionTable(connections, names.some(Boolean) ? names : undefined);
}

/** In the order of the first of each. */
function grouped(connections: readonly Listed[]): Group[] {
  const groups = Map.groupBy(connections, ({ peer }) => hostOf(peer));
  const most = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.max(a, b), 0);
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return [...groups].map(([peer, all]) => ({
    peer,
    connections: all.length,
    oldestSeconds: most(all.map(({ ageSeconds }) => ageSeconds)),
    longestIdleSeconds: most(all.map(({ idleSeconds }) => idleSeconds)),
    bytesUp: sum(all.map(({ bytesUp }) => bytesUp)),
    bytesDown: sum(all.map(({ bytesDown }) => bytesDown)),
    processes: [
      ...new Map(all.flatMap(({ process }) => process === null ? [] : [[process.pid, process]]))
        .values(),
    ],
  }));
}

function groupTable(groups: readonly Group[]): string {
  const named = groups.some(({ processes }) => processes.length > 0);
  const heads = ["PEER", "CONNECTIONS", "OLDEST", "LONGEST IDLE", "UP", "DOWN"];
  return table([
    named ? [...heads, "PROCESSES"] : heads,
    ...groups.map((group) => [
      group.peer,
      `${group.connections}`,
      describeDuration(group.oldestSeconds * 1000),
      describeDuration(group.longestIdleSeconds * 1000),
      describeBytes(group.bytesUp),
      describeBytes(group.bytesDown),
      ...named ? [group.processes.map(nameOf).join(", ")] : [],
    ]),
  ]);
}

function nameOf({ name, pid }: Process): string {
  return `${name}/${pid}`;
}
