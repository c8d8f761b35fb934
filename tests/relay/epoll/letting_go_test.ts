import assert from "node:assert/strict";
import { libc } from "../../../lib/linux/libc.ts";
import { newSocket } from "../../../lib/linux/socket.ts";
import { AF_INET, encode } from "../../../lib/linux/socket_address.ts";
import { Connection, FREE, KEPT_BACK } from "../../../lib/relay/epoll/connection.ts";
import type { Direction } from "../../../lib/relay/epoll/direction.ts";
import { LettingGo, NOTHING } from "../../../lib/relay/epoll/letting_go.ts";

/** What counts as quiet, in milliseconds. */
const QUIET = 40;

Deno.test("what only looked like an answer does not keep the rest of a request from its service", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname: host, port } = listener.addr as Deno.NetAddr;
  const client = newSocket(AF_INET);
  const address = encode({ host, port });
  libc.connect(client, address, address.length);
  const connection = new Connection(0);
  connection.begin(client, 0);
  connection.join(0, null);
  const carried: Direction[] = [];
  const context = {
    time: 0,
    asOf: 0,
    all: [],
    lastByteAt: () => 0,
    // As it is with the last of what came: that nothing is behind it shows only by reading again.
    carry(direction: Direction) {
      direction.readable = false;
      carried.push(direction);
    },
    postpone() {},
    advanceTimer() {},
    leaveService() {},
    close() {},
  };
  const lettingGo = new LettingGo(context);
  lettingGo.want({ ...NOTHING, quiet: QUIET });
  connection.talk.clientSpoke(null);
  connection.down.readable = true;
  lettingGo.answers(connection);
  assert.deepEqual([connection.exchange, connection.down.stopped], [KEPT_BACK, true]);
  context.time = context.asOf = QUIET;
  lettingGo.look(connection);
  assert.deepEqual(carried, [connection.down]);
  assert.deepEqual([connection.exchange, connection.up.stopped], [FREE, false]);
  libc.close(client);
});
