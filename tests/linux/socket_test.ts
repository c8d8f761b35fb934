import assert from "node:assert/strict";
import { SystemError } from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";
import {
  adopt,
  closeWithReset,
  hasPeer,
  IPPROTO_TCP,
  isConnectedToItself,
  isListening,
  limitUnacknowledged,
  listen,
  localAddress,
  newSocket,
  pendingError,
  sendAtOnce,
  servesBothFamilies,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
  watchNobody,
  watchPeer,
} from "../../lib/linux/socket.ts";
import { AF_INET, encode } from "../../lib/linux/socket_address.ts";
import { queueOf } from "../../lib/linux/tcp_info.ts";
import { IPV6 } from "../relay/machine.ts";
import { eventually } from "../relay/waiting.ts";
import { accept, Descriptor, listening, optionOf } from "./sockets.ts";

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `a socket that listens on :: for both families takes clients from ${hostname}`,
    ignore: !IPV6,
    fn: async () => {
      using listener = listening("::");
      using client = await Deno.connect({ hostname, port: listener.port });
      using accepted = await accept(listener);
      assert.equal(localAddress(accepted.number).host, hostname);
      assert.equal(localAddress(accepted.number).port, (client.remoteAddr as Deno.NetAddr).port);
    },
  });
}

Deno.test({
  name: "a socket that listens on :: for one family leaves the other one alone",
  ignore: !IPV6,
  fn: async () => {
    using listener = new Descriptor(listen({ host: "::", port: 0 }, false, 1));
    const { port } = localAddress(listener.number);
    using _client = await Deno.connect({ hostname: "::1", port });
    // Somebody else may listen there.
    const other = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
    assert.equal(queueOf(listener.number).length, 1);
    other?.close();
  },
});

Deno.test({
  name: "whether a socket that listens on :: serves both families is known",
  ignore: !IPV6,
  fn: () => {
    for (const both of [true, false]) {
      using listener = new Descriptor(listen({ host: "::", port: 0 }, both, 1));
      assert.equal(servesBothFamilies(listener.number), both);
    }
    using listener = listening("0.0.0.0");
    assert.equal(servesBothFamilies(listener.number), false);
  },
});

Deno.test("an address that is taken is refused, and no descriptor is left behind", () => {
  using listener = listening();
  const before = descriptors();
  const again = () => listen({ host: "127.0.0.1", port: listener.port }, true, 1);
  for (let count = 0; count < 300; count++) {
    assert.throws(again, { name: "SystemError", code: "EADDRINUSE", message: /^bind: Address/ });
  }
  // Other tests, in this same process, have some of their own meanwhile.
  assert.ok(descriptors() < before + 200);
});

Deno.test("what is accepted from a listening socket inherits how it sends, and whom it watches", async () => {
  using listener = listening();
  sendAtOnce(listener.number);
  limitUnacknowledged(listener.number, 45_000);
  watchPeer(listener.number, { keepAlive: 90_000, userTimeout: null });
  watchNobody(listener.number);
  using _client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  using accepted = await accept(listener);
  assert.equal(optionOf(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
  assert.equal(optionOf(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
  assert.equal(optionOf(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 45_000);
});

Deno.test("a peer is not watched unless that is asked for", () => {
  using socket = new Descriptor(newSocket(AF_INET));
  watchPeer(socket.number, { keepAlive: null, userTimeout: null });
  assert.equal(optionOf(socket, SOL_SOCKET, SO_KEEPALIVE), 0);
  assert.equal(optionOf(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
});

Deno.test("peers that came at once are not probed at once", () => {
  using socket = new Descriptor(newSocket(AF_INET));
  const times = [[0, 0], [0.5, 0.5], [0.999, 0.999], [0, 0.999]].map((numbers) => {
    const next = numbers.values();
    const random = () => next.next().value ?? assert.fail();
    watchPeer(socket.number, { keepAlive: 90_000, userTimeout: 45_000 }, random);
    const option = (number: number) => optionOf(socket, IPPROTO_TCP, number);
    return [option(TCP_KEEPIDLE), option(TCP_KEEPINTVL)];
  });
  assert.deepEqual(times, [[90, 10], [113, 15], [135, 20], [90, 20]]);
  assert.equal(optionOf(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert.equal(optionOf(socket, IPPROTO_TCP, TCP_KEEPCNT), 4);
  assert.equal(optionOf(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 45_000);
});

Deno.test("a time of silence that the kernel cannot count becomes one that it can", () => {
  using socket = new Descriptor(newSocket(AF_INET));
  for (const [keepAlive, seconds] of [[1, 1], [1e12, 32767]] as const) {
    watchPeer(socket.number, { keepAlive, userTimeout: null }, () => 0);
    assert.equal(optionOf(socket, IPPROTO_TCP, TCP_KEEPIDLE), seconds);
  }
});

Deno.test("a socket that is closed with a reset is seen as one by its peer", async () => {
  using listener = listening();
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  using accepted = await accept(listener);
  closeWithReset(accepted.release());
  await assert.rejects(client.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
});

Deno.test("a socket has a peer until that resets it, and then an error that is told once", async () => {
  using listener = listening();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  using accepted = await accept(listener);
  assert.equal(hasPeer(accepted.number), true);
  // Closing with something unread is a reset.
  libc.send(accepted.number, new Uint8Array(1), 1, 0);
  client.close();
  await eventually(() => !hasPeer(accepted.number));
  assert.notEqual(pendingError(accepted.number), 0);
  assert.equal(pendingError(accepted.number), 0);
});

Deno.test("a socket that listens is told from one that does not, and from what is none", () => {
  using listener = listening();
  using socket = new Descriptor(newSocket(AF_INET));
  assert.equal(isListening(listener.number), true);
  assert.equal(isListening(socket.number), false);
  assert.throws(() => isListening(0x7fffffff), SystemError);
});

Deno.test("no call waits on a socket that was adopted, and no other program gets it", () => {
  // A pipe's end does as well: both are flags of a descriptor.
  const both = new Int32Array(2);
  libc.pipe2(new Uint8Array(both.buffer), 0);
  using reader = new Descriptor(both[0] ?? -1);
  using _writer = new Descriptor(both[1] ?? -1);
  adopt(reader.number);
  const [, flags = ""] = /^flags:\s+(\d+)/m
    .exec(Deno.readTextFileSync(`/proc/self/fdinfo/${reader.number}`)) ?? [];
  assert.equal(parseInt(flags, 8) & 0o2004000, 0o2004000);
});

Deno.test("a socket that is connected to somebody else is not connected to itself", async () => {
  using listener = listening();
  using _client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
  using accepted = await accept(listener);
  assert.equal(isConnectedToItself(accepted.number, listener.port), false);
  using alone = new Descriptor(newSocket(AF_INET));
  assert.equal(isConnectedToItself(alone.number, 0), false);
});

Deno.test("a socket that is connected to itself is found out", () => {
  using socket = new Descriptor(newSocket(AF_INET));
  // Bound to a port, and connected to that port: a simultaneous open with itself (RFC 9293, 3.5).
  const any = encode({ host: "127.0.0.1", port: 0 });
  assert.equal(libc.bind(socket.number, any, any.length), 0);
  const { host, port } = localAddress(socket.number);
  const itself = encode({ host, port });
  libc.connect(socket.number, itself, itself.length);
  assert.equal(isConnectedToItself(socket.number, port), true);
});

Deno.test({
  name: "a socket that is connected to itself is found out after one with a longer address as well",
  ignore: !IPV6,
  fn: async () => {
    using listener = listening("::");
    using _client = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    using accepted = await accept(listener);
    using socket = new Descriptor(newSocket(AF_INET));
    const any = encode({ host: "127.0.0.1", port: 0 });
    assert.equal(libc.bind(socket.number, any, any.length), 0);
    const { host, port } = localAddress(socket.number);
    const itself = encode({ host, port });
    libc.connect(socket.number, itself, itself.length);
    assert.equal(hasPeer(accepted.number), true);
    assert.equal(isConnectedToItself(socket.number, port), true);
  },
});

Deno.test("a socket to which an option cannot be set works without, and one that is gone has failed", () => {
  const gone = new Descriptor(newSocket(AF_INET));
  gone[Symbol.dispose]();
  sendAtOnce(gone.number);
  watchPeer(gone.number, { keepAlive: 1000, userTimeout: 1000 });
  assert.equal(pendingError(gone.number), 9); // EBADF
});

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}
