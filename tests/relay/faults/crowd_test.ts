import assert from "node:assert/strict";
import { libc } from "../../../lib/linux/libc.ts";
import { raiseDescriptorLimit } from "../../../lib/linux/resource_limit.ts";
import { closeWithReset, hasPeer, newSocket, SHUT_WR } from "../../../lib/linux/socket.ts";
import { AF_INET, encode } from "../../../lib/linux/socket_address.ts";
import { brieflyOr } from "../../support/long.ts";
import { until } from "../../support/until.ts";
import { echo } from "../peer.ts";
import { type Numbers, RelayInProcess } from "../relay_in_process.ts";
import { eventually, pause, steady } from "../waiting.ts";
import { KINDS } from "./kinds.ts";

const MANY = brieflyOr(400, 10_000);

/**
 * How much more memory the relay may have after a crowd than after the one before, in MiB: 10 KiB for
 * each of 10,000, as garbage is not collected at once.
 */
const GROWTH = 96;

/** How often it may have grown by that, at the most. */
const CROWDS = 3;

/** Two descriptors for each: its client's and the service's are both in this process. */
const CROWD = Math.min(MANY, Math.floor((raiseDescriptorLimit(2 * MANY + 1000) - 1000) / 2));

/** How a client leaves; what it leaves open is closed later. */
const WAYS: ((client: number) => "gone" | "stays")[] = [
  (client) => {
    libc.close(client);
    return "gone";
  },
  (client) => {
    closeWithReset(client);
    return "gone";
  },
  (client) => {
    libc.shutdown(client, SHUT_WR);
    return "stays";
  },
  (client) => {
    libc.send(client, new TextEncoder().encode("hello"), 5, 0);
    libc.close(client);
    return "gone";
  },
  (client) => {
    libc.send(client, new TextEncoder().encode("hello"), 5, 0);
    libc.shutdown(client, SHUT_WR);
    return "stays";
  },
];

for (const kind of KINDS) {
  Deno.test(`${kind}: ${CROWD} clients that come and go at once leave nothing behind`, async () => {
    await using service = await echo();
    await using relay = await RelayInProcess.start(kind, service.address);
    const { descriptors } = relay;
    let came = 0;
    let accepted = 0;
    const come = async () => {
      await crowd(relay.listen.port);
      came += CROWD;
      await eventually(() => relay.descriptors <= descriptors + MOST_KEPT, "closed descriptors");
      // The kernel drops some from a queue that is full, and they are gone before they are back. Others
      // it keeps from the relay until it has asked them again, a second later or more: these may come
      // only now, with the next crowd. And a relay that has not had its turn yet knows of nobody.
      const numbers = await until(
        () => relay.ask(),
        (numbers) => isQuiet(numbers) && numbers.accepted - accepted > CROWD / 2,
      );
      assert(numbers.accepted <= came, `${numbers.accepted} accepted of ${came}`);
      accepted = numbers.accepted;
      assert.equal(numbers.broken, null);
      return await steady(() => relay.memory, 300);
    };
    // The first time there is much to be made.
    await come();
    const memory = [await come()];
    const growth = () => (memory.at(-1) ?? NaN) - (memory.at(-2) ?? NaN);
    // What is left behind each time makes it grow each time; garbage does not.
    do memory.push(await come()); while (growth() >= GROWTH && memory.length <= CROWDS);
    assert(growth() < GROWTH, `the memory after each crowd, in MiB: ${memory.join(", ")}`);
    assert.equal(relay.complaints, "");
  });
}

/** What the relay may keep for the next time: pipes, and event loops. */
const MOST_KEPT = 48;

/** Whether nobody is there, and everybody who was has been counted as closed. */
function isQuiet({ active, queued, accepted, closed }: Numbers): boolean {
  const over = Object.values(closed).reduce((sum, count) => sum + count, 0);
  return active === 0 && (queued ?? 0) === 0 && over === accepted;
}

/** Clients that come, and leave in all ways, and are all gone in the end. */
async function crowd(port: number): Promise<void> {
  const name = encode({ host: "127.0.0.1", port });
  const clients: number[] = [];
  while (clients.length < CROWD) {
    const client = newSocket(AF_INET);
    assert(client >= 0, `only ${clients.length} descriptors`);
    libc.connect(client, name, name.length);
    clients.push(client);
    // The service, in this process, has its turn as well.
    if (clients.length % 500 === 0) await pause(0);
  }
  const staying: number[] = [];
  for (const [index, client] of clients.entries()) {
    // Not one who is not there yet: it would just have given up.
    if (index % 500 === 0) await eventually(() => hasPeer(client), "a connection");
    const leave = WAYS[index % WAYS.length] as (client: number) => string;
    if (leave(client) === "stays") staying.push(client);
  }
  await pause(0);
  for (const client of staying) libc.close(client);
}
