import fc from "fast-check";
import assert from "node:assert/strict";
import { encode } from "../../../lib/linux/socket_address.ts";
import { foremost, type Place } from "../../../lib/relay/epoll/foremost.ts";
import { CONTROL, SharedMemory } from "../../../lib/relay/epoll/shared.ts";
import { CLIENT_ENDED, ESTABLISHED, Table } from "../../../lib/relay/epoll/table.ts";
import { CLOSE_REASONS, CONNECTION_ORDERS } from "../../../lib/relay/relay.ts";

const CLIENT = { host: "192.0.2.1", port: 40000 };
const SERVICE = { host: "2001:db8::1", port: 80 };

/** A table as the thread that serves has it, and as the main thread has it. */
function tables(rows: number): { thread: Table; main: Table } {
  const main = Table.make(rows);
  return { thread: new Table(main.buffer), main };
}

Deno.test("a row of the table is seen by the other side as it was written", () => {
  const { thread, main } = tables(4);
  assert.equal(main.snapshot(2, 1000, "service:80"), null);
  thread.begin(2, 17, 5, 1000, encode(CLIENT));
  const connecting = {
    id: 17,
    peer: "192.0.2.1:40000",
    upstream: "service:80",
    state: "connecting",
    age: 250,
    idle: 250,
    bytesUp: 0,
    bytesDown: 0,
    heldFor: null,
    tied: null,
  };
  assert.deepEqual(main.snapshot(2, 1250, "service:80"), connecting);
  thread.setUpstream(2, 6);
  thread.setUpstreamName(2, encode(SERVICE));
  thread.setState(2, ESTABLISHED);
  thread.addUp(2, 3);
  thread.addUp(2, 2 ** 40);
  thread.addDown(2, 7);
  thread.touch(2, 1200);
  assert.deepEqual(main.snapshot(2, 1250, "service:80"), {
    ...connecting,
    upstream: "[2001:db8::1]:80",
    state: "established",
    idle: 50,
    bytesUp: 3 + 2 ** 40,
    bytesDown: 7,
  });
  thread.setState(2, CLIENT_ENDED);
  assert.equal(main.snapshot(2, 1250, "service:80")?.state, "client-ended");
  thread.end(2, CLOSE_REASONS.indexOf("killed"));
  assert.equal(main.snapshot(2, 1250, "service:80"), null);
  assert.equal(main.id(2), 0);
});

Deno.test("whether a service speaks unasked depends on how long connections must be quiet; other ties do not", () => {
  const { thread, main } = tables(1);
  const tied = (quiet?: number) => main.snapshot(0, 2000, "service:80", quiet)?.tied;
  thread.begin(0, 1, 5, 1000, encode(SERVICE));
  assert.equal(tied(0), null);
  thread.setUnasked(0, 299.5);
  assert.deepEqual([tied(), tied(300), tied(299)], [null, null, "spoke-unasked"]);
  thread.setTie(0, "tls");
  thread.setUnasked(0, 1000);
  assert.deepEqual([tied(), tied(0)], ["tls", "tls"]);
  thread.end(0, 0);
  thread.begin(0, 2, 6, 2000, encode(CLIENT));
  assert.equal(tied(0), null);
});

Deno.test("a row that is used again has nothing of the connection before", () => {
  const { thread, main } = tables(1);
  thread.begin(0, 1, 5, 1000, encode(SERVICE));
  thread.setUpstreamName(0, encode(SERVICE));
  thread.setState(0, CLIENT_ENDED);
  thread.addUp(0, 3);
  thread.addDown(0, 4);
  main.wishCut(1, 2);
  thread.end(0, 0);
  thread.begin(0, 2, 6, 2000, encode(CLIENT));
  assert.deepEqual(main.snapshot(0, 2000, "service:80"), {
    id: 2,
    peer: "192.0.2.1:40000",
    upstream: "service:80",
    state: "connecting",
    age: 0,
    idle: 0,
    bytesUp: 0,
    bytesDown: 0,
    heldFor: null,
    tied: null,
  });
  assert.equal(thread.wishedCut(0), -1);
});

Deno.test("the height of a table covers every row that was ever in use, and no other", () => {
  fc.assert(fc.property(fc.array(fc.nat(9), { maxLength: 30 }), (rows) => {
    const { thread, main } = tables(10);
    let highest = -1;
    for (const [index, row] of rows.entries()) {
      thread.begin(row, index + 1, 5, 0, encode(CLIENT));
      highest = Math.max(highest, row);
      assert.equal(main.height, highest + 1);
      if (index % 2 === 0) thread.end(row, 0);
      assert.equal(main.height, highest + 1);
    }
  }));
});

Deno.test("the connections of a table that come first are found, in order, whichever rows they have", () => {
  // Few numbers, so that some are the same.
  const amount = fc.nat(20);
  const connection = fc.option(fc.record({ age: amount, idle: amount, bytes: amount }));
  const connections = fc.array(connection, { maxLength: 200, size: "max" });
  const order = fc.constantFrom(...CONNECTION_ORDERS);
  const most = fc.integer({ min: 1, max: 30 });
  fc.assert(fc.property(connections, order, most, (connections, order, most) => {
    const { thread, main } = tables(200);
    for (const [row, one] of connections.entries()) {
      thread.begin(row, row + 1, 5, 20 - (one?.age ?? 0), encode(CLIENT));
      thread.touch(row, 20 - (one?.idle ?? 0));
      thread.addUp(row, one?.bytes ?? 0);
      if (one === null) thread.end(row, 0);
    }
    const expected = [...connections.entries()]
      .flatMap(([row, one]) => one === null ? [] : [{ row, amount: one[order] }])
      .sort((one, other) => other.amount - one.amount || one.row - other.row)
      .map(({ row }) => row);
    const found = (places: Place[]) => places.map(({ row }) => row);
    assert.deepEqual(found(foremost([main], most, false, order)), expected.slice(0, most));
    assert.deepEqual(found(foremost([main], Infinity, false, order)), expected);
  }));
});

Deno.test("only the connection that is meant is wished to be cut, and for that reason", () => {
  const { thread, main } = tables(3);
  for (const row of [0, 1, 2]) thread.begin(row, row + 11, 5, 0, encode(CLIENT));
  assert.deepEqual([0, 1, 2].map((row) => thread.wishedCut(row)), [-1, -1, -1]);
  assert.equal(main.wishCut(12, 0), true);
  assert.deepEqual([0, 1, 2].map((row) => thread.wishedCut(row)), [-1, 0, -1]);
  assert.equal(main.wishCut(12, 5), true);
  assert.equal(thread.wishedCut(1), 5);
  thread.end(1, 5);
  assert.equal(thread.wishedCut(1), -1);
  assert.equal(main.wishCut(12, 5), false);
  assert.equal(main.wishCut(99, 5), false);
});

Deno.test("totals outlive the connections they are of, and each end has its reason", () => {
  const { thread, main } = tables(1);
  for (const [index] of CLOSE_REASONS.entries()) {
    for (let count = 0; count <= index; count++) {
      thread.begin(0, 1, 5, 0, encode(CLIENT));
      thread.addUp(0, 10);
      thread.addDown(0, 100);
      thread.end(0, index);
    }
  }
  thread.countConnectFailure();
  const { accepted, bytesUp, bytesDown, connectFailures, closed } = main.counters;
  const ended = CLOSE_REASONS.length * (CLOSE_REASONS.length + 1) / 2;
  assert.deepEqual([accepted, bytesUp, bytesDown, connectFailures], [
    ended,
    10 * ended,
    100 * ended,
    1,
  ]);
  assert.deepEqual(
    closed,
    Object.fromEntries(CLOSE_REASONS.map((reason, index) => [reason, index + 1])),
  );
});

Deno.test("what a thread has left is found with its descriptors, and counted as stopped", () => {
  const { thread, main } = tables(2);
  thread.begin(0, 1, 5, 0, encode(CLIENT));
  thread.begin(1, 2, 7, 0, encode(CLIENT));
  thread.setUpstream(1, 8);
  assert.deepEqual(main.abandon(0), { client: 5, upstream: -1 });
  assert.deepEqual(main.abandon(1), { client: 7, upstream: 8 });
  assert.equal(main.counters.closed.stopped, 2);
  assert.equal(main.id(1), 0);
});

Deno.test("of those who are held it is known when each came, whoever of them was served since", () => {
  const steps = fc.array(fc.oneof(
    fc.record({ come: fc.integer({ min: 1, max: 5 }) }),
    fc.record({
      serve: fc.integer({ min: 0, max: 6 }),
      late: fc.integer({ min: 0, max: 2 }),
    }),
  ));
  fc.assert(fc.property(steps, (steps) => {
    const main = new SharedMemory();
    const thread = new SharedMemory(main.buffer);
    let waiting: number[] = [];
    let now = 0;
    for (const step of steps) {
      now += 10;
      if ("come" in step) {
        for (let count = 0; count < step.come; count++) waiting.push(now);
        thread.noteArrivals(waiting.length, now);
      } else {
        // Opened, then held again when some have been served. It is noted of some that they came
        // when it was being opened already.
        const served = Math.min(step.serve, waiting.length);
        main.release(waiting.length);
        thread.noteArrivals(waiting.length + step.late, now);
        Atomics.store(main.control, CONTROL.released, served);
        waiting = waiting.slice(served);
        assert.deepEqual(main.arrivals, waiting);
        thread.forgetReleased();
      }
      assert.deepEqual(main.arrivals, waiting);
      assert.deepEqual(waiting.map((_, index) => main.arrival(index)), waiting);
      assert.equal(main.arrival(waiting.length), null);
    }
  }));
});

Deno.test("more may be held than there is room for the times when they came", () => {
  const memory = new SharedMemory();
  memory.noteArrivals(1_000_000, 5);
  assert.equal(memory.arrival(4199), 5);
  assert.equal(memory.arrival(1_000_000), null);
});
