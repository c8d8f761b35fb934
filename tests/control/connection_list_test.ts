import assert from "node:assert/strict";
import { byPeer, sorted, tellConnections } from "../../lib/control/connection_list.ts";
import { tellDrain } from "../../lib/control/drain_stream.ts";
import type { Listener } from "../../lib/control/http/messages.ts";
import type { Controlled } from "../../lib/control/controlled.ts";
import { byOrder } from "../../lib/relay/order.ts";
import type { Connection, ConnectionOrder } from "../../lib/relay/relay.ts";
import { FakeProxy, request } from "../drain/fake_proxy.ts";
import { FakeClock, FakeDisk } from "../drain/fakes.ts";

/** Hears so many pieces. */
class Ear implements Listener {
  readonly pieces: string[] = [];
  readonly silent = new Promise<void>(() => {});

  constructor(readonly patience = Infinity) {}

  write(text: string): Promise<boolean> {
    this.pieces.push(text);
    return Promise.resolve(this.pieces.length < this.patience);
  }
}

function* connections(count: number, each: () => void = () => {}): Generator<Connection> {
  for (let id = 1; id <= count; id++) {
    each();
    const state = "established";
    const [age, idle] = [2000, 1000];
    yield {
      id,
      peer: `192.0.2.1:${id}`,
      upstream: "",
      state,
      age,
      idle,
      bytesUp: 1,
      bytesDown: 2,
      heldFor: null,
      tied: null,
    };
  }
}

for (const count of [0, 1, 500, 1234]) {
  Deno.test(`a list of ${count} connections is whole`, async () => {
    const ear = new Ear();
    await tellConnections(connections(count), ear);
    const { connections: told } = JSON.parse(ear.pieces.join(""));
    assert.deepEqual(
      told.map(({ id }: { id: number }) => id),
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });
}

Deno.test("while thousands of connections are listed, others have their turn", async () => {
  let turns = 0;
  const others = setInterval(() => turns++, 0);
  const seen = new Set<number>();
  await tellConnections(connections(20_000, () => seen.add(turns)), new Ear());
  clearInterval(others);
  assert(seen.size > 10, `${seen.size} turns`);
});

Deno.test("of many connections the first are found, by whatever they are sorted", async () => {
  const [one] = connections(1);
  assert.ok(one !== undefined);
  const made = (id: number, age: number, idle: number, bytesUp: number, peer = "192.0.2.1:1") => {
    return { ...one, id, age, idle, bytesUp, peer };
  };
  const active = [made(1, 9, 3, 5), made(2, 8, 7, 0, "[2001:db8::1]:2"), made(3, 7, 5, 9)];
  const held = [made(4, 10, 0, 0, "192.0.2.1:4")];
  const relay = {
    connections: (most = Infinity, order: ConnectionOrder = "age") =>
      active.toSorted(byOrder(order)).slice(0, most),
    held: (most = Infinity, order: ConnectionOrder = "age") =>
      held.toSorted(byOrder(order)).slice(0, most),
  };
  const ids = async (...query: [order: ConnectionOrder, most?: number]) =>
    (await sorted(relay, ...query)).map(({ id }) => id);
  assert.deepEqual(await ids("age", 2), [4, 1]);
  assert.deepEqual(await ids("idle", 2), [2, 3]);
  assert.deepEqual(await ids("bytes"), [3, 1, 2, 4]);
  assert.deepEqual(
    (await byPeer([...active, ...held])).map(({ peer, connections }) => [peer, connections]),
    [["192.0.2.1", 3], ["2001:db8::1", 1]],
  );
});

Deno.test("a list that nobody listens to any more is not gone on with", async () => {
  let listed = 0;
  await tellConnections(connections(20_000, () => listed++), new Ear(1));
  assert(listed < 1000, `${listed} were listed`);
});

Deno.test("a line of a drain looks at those that it names, and at no others", async () => {
  const proxy = new FakeProxy(new FakeClock(), new FakeDisk());
  const { drain, relay } = proxy;
  await proxy.start();
  for (let count = 0; count < 1000; count++) relay.arrive();
  const waiter = await drain.drain(request());
  const ear = new Ear();
  const told = tellDrain({ drain, relay } as unknown as Controlled, waiter, ear);
  const [line = ""] = ear.pieces;
  const { active, blockers } = JSON.parse(line);
  assert.deepEqual([active, blockers.length, relay.listed], [1000, 20, 20]);
  await drain.resume("ann", true);
  await told;
  const { active: left, blockers: named } = JSON.parse(ear.pieces.at(-1) ?? "");
  assert.deepEqual([left, named.length, relay.listed], [1000, 20, 20]);
});
