import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Peer } from "./protocol/peer.ts";
import { isMissing } from "./protocol/tools.ts";
import { brieflyOr, onlyForLong } from "./support/long.ts";
import { commandOf, complete, Running, start } from "./support/programs.ts";
import { testWith } from "./support/tools.ts";

/** How many are connected when the server is ended. */
const CROWD = brieflyOr(300, 1000);

const GREETING = "Hello world!\r\n";

/** A server on a free port. Disposing of it kills it. */
async function startServer(...options: string[]): Promise<{ server: Running; port: number }> {
  const server = start("server", ["127.0.0.1:0", ...options]);
  return { server, port: await portOf(server) };
}

async function portOf(server: Running): Promise<number> {
  const [, port] = await server.heard(/^hello-world-server: Listening on port (\d+)\b.*\n/m);
  return Number(port);
}

let shared: ReturnType<typeof startServer> | null = null;

Deno.test.afterAll(async () => await (await shared)?.server[Symbol.asyncDispose]());

/** The port of a server for all tests that leave it running. */
async function sharedServer(): Promise<number> {
  return (await (shared ??= startServer())).port;
}

Deno.test("hello is answered however its bytes arrive", async () => {
  const port = await sharedServer();
  using peer = await Peer.connect(port);
  for (const byte of "hello\r\nhello\n") await peer.send(byte);
  assert.equal(await peer.next(2 * GREETING.length), GREETING.repeat(2));
  await peer.send("\r\n\nfoo\r\n");
  const reply = 'Unknown command: "foo". Say "hello" or "quit".\r\n';
  assert.equal(await peer.next(reply.length), reply);
});

Deno.test("the greeting and the longest line can be chosen", async () => {
  const { server, port } = await startServer("--greeting", "Hallo Welt!", "--max-line", "5");
  await using _ = server;
  using peer = await Peer.connect(port);
  await peer.greet("Hallo Welt!\r\n");
  await peer.send("123456");
  assert.equal(await peer.rest(), "Line too long.\r\n");
});

Deno.test("quit closes when all earlier answers are out", async () => {
  const port = await sharedServer();
  using peer = await Peer.connect(port);
  await peer.send("hello\n".repeat(10_000) + "quit\nhello\n");
  assert.equal(await peer.rest(), GREETING.repeat(10_000));
});

for (
  const [lastWord, replies] of [
    ["quit\n", GREETING],
    ["x".repeat(1025), `${GREETING}Line too long.\r\n`],
  ] as const
) {
  const name = lastWord === "quit\n" ? "quit" : "a line too long";
  Deno.test(`after ${name} no reset destroys the answers, though more bytes arrive`, async () => {
    const port = await sharedServer();
    using peer = await Peer.connect(port);
    await peer.send(`hello\n${lastWord}`);
    // Reading only afterwards, so that a reset on the way would be met before the replies.
    for (let sent = 0; sent < 50; sent++) await peer.send("y".repeat(100_000));
    await peer.end();
    assert.equal(await peer.rest(), replies);
  });
}

Deno.test("a client that ends its side gets all answers, even to a line without ending", async () => {
  const port = await sharedServer();
  using peer = await Peer.connect(port);
  await peer.send("hello\n".repeat(1000) + "hello");
  await peer.end();
  assert.equal(await peer.rest(), GREETING.repeat(1001));
});

Deno.test("a client that sends and does not read is not read either, and nothing is lost", async () => {
  const { server, port } = await startServer();
  await using _ = server;
  using greedy = await Peer.connect(port);
  using other = await Peer.connect(port);
  const piece = "hello\n".repeat(10_000);
  const most = 1000;
  let sent = 0;
  let enough = false;
  const sending = (async () => {
    while (!enough && sent < most) {
      await greedy.send(piece);
      sent++;
    }
    await greedy.end();
  })();
  // It has come to a stop when the server does so much for another without any progress here.
  for (let before = -1; before !== sent && sent < most;) {
    before = sent;
    for (let turn = 0; turn < 200; turn++) await other.greet();
  }
  enough = true;
  assert.ok(sent < most / 2, `the server took ${sent * piece.length} bytes`);
  const received = await greedy.rest();
  await sending;
  assert.equal(received.length, sent * 10_000 * GREETING.length);
});

Deno.test("a client that resets its connection harms nobody", async () => {
  const { server, port } = await startServer();
  await using _ = server;
  using peer = await Peer.connect(port);
  await peer.greet();
  for (let index = 0; index < 20; index++) {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("hello\n".repeat(10_000));
    if (index % 2 === 0) await once(socket, "data");
    socket.resetAndDestroy();
    await once(socket, "close");
  }
  await peer.greet();
  server.kill("SIGTERM");
  const { code, stderr } = await server.finished();
  assert.equal(code, 0);
  assert.match(stderr, /^[^\n]+\n$/); // nothing but the line at the start
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends ${CROWD} clean connections, and the server, which waits for nobody`, async () => {
    const { server, port } = await startServer();
    await using _ = server;
    const peers = await Promise.all(Array.from({ length: CROWD }, () => Peer.connect(port)));
    try {
      await Promise.all(peers.map((peer) => peer.greet()));
      server.kill(signal);
      // A reset would be an error; that we keep our side open must not keep the server.
      assert.deepEqual(new Set(await Promise.all(peers.map((peer) => peer.rest()))), new Set([""]));
      const { code } = await server.finished();
      assert.equal(code, 0);
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
  });
}

Deno.test("SIGTERM ends the server although a client does not take its answers", async () => {
  const { server, port } = await startServer();
  await using _ = server;
  using peer = await Peer.connect(port);
  const sending = peer.send("hello\n".repeat(5_000_000)).catch(() => {});
  await peer.next(1);
  server.kill();
  assert.equal((await server.finished()).code, 0);
  await sending;
});

testWith(onlyForLong, "without a host it listens on IPv4 and IPv6", async () => {
  await using server = start("server", ["0"]);
  const port = await portOf(server);
  for (const hostname of ["127.0.0.1", ...hasIPv6() ? ["::1"] : []]) {
    using peer = await Peer.connect(port, hostname);
    await peer.greet();
  }
});

function hasIPv6(): boolean {
  return Deno.networkInterfaces().some(({ address }) => address === "::1");
}

Deno.test("with --exit-when-idle 0s and nobody there it ends at once", async () => {
  const { server } = await startServer("--exit-when-idle", "0s");
  await using _ = server;
  assert.equal((await server.finished()).code, 0);
});

/** Starts a server, and a client before it ends, however busy the machine is. */
async function startServing(...args: string[]) {
  for (;;) {
    const { server, port } = await startServer(...args);
    try {
      const first = await Peer.connect(port);
      await first.greet();
      return { server, first, port };
    } catch {
      await server[Symbol.asyncDispose]();
    }
  }
}

Deno.test("--exit-when-idle counts from when the last connection is gone", async () => {
  const { server, first, port } = await startServing("--exit-when-idle", "500ms");
  await using _ = server;
  using _first = first;
  using second = await Peer.connect(port);
  await second.greet();
  first[Symbol.dispose]();
  // Real time has to pass: longer than the limit, with one connection open and silent.
  await new Promise((resolve) => setTimeout(resolve, 700));
  await second.greet();
  const before = performance.now();
  second[Symbol.dispose]();
  const { code } = await server.finished();
  assert.equal(code, 0);
  assert.ok(performance.now() - before >= 490);
});

for (
  const [args, message] of [
    [[], "missing argument: give [HOST:]PORT to listen on"],
    [["here"], '"here" is no address: expected [HOST:]PORT'],
    [["8080", "8081"], "too many arguments"],
    [["8080", "--max-line", "0"], '"0" is not a whole number'],
    [["8080", "--exit-when-idle", "soon"], '"soon" is no duration'],
    [["8080", "--greeting", "Hello\nworld"], "a greeting is a single line"],
    [["8080", "--colour"], "unknown option '--colour'"],
    [["192.0.2.1:0"], "Failed to listen on 192.0.2.1:0: this machine has no such address"],
    [["no-such-host.invalid:0"], "Failed to listen on no-such-host.invalid:0: "],
  ] as const
) {
  const name = JSON.stringify(["hello-world-server", ...args].join(" "));
  // What the command line alone does not show to be wrong is no bad usage.
  const expected = message.startsWith("Failed") ? 1 : 2;
  Deno.test(`${name} is one clear line and exit ${expected}`, async () => {
    const { code, stdout, stderr } = await complete("server", args);
    assert.equal(code, expected);
    assert.equal(stdout, "");
    assert.match(stderr, /^hello-world-server: .*\n$/);
    assert.ok(stderr.includes(message), stderr);
  });
}

testWith(onlyForLong, "a port that is taken is one clear line and exit 1", async () => {
  const { server, port } = await startServer();
  await using _ = server;
  const { code, stderr } = await complete("server", [`127.0.0.1:${port}`]);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `hello-world-server: Failed to listen on 127.0.0.1:${port}: the port is taken; ` +
      "stop the program that has it, or choose another port\n",
  );
});

Deno.test("what a service manager passed to another process is not ours", async () => {
  const env = { LISTEN_PID: "1", LISTEN_FDS: "1" };
  await using server = start("server", ["127.0.0.1:0"], { env });
  using peer = await Peer.connect(await portOf(server));
  await peer.greet();
});

const noSocketActivation = await isMissing("systemd-socket-activate", "--version");

/** An address that no other test uses: systemd-socket-activate cannot say which port it got. */
function ownAddress(): { hostname: string; port: number } {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return { hostname: `127.${a}.${b}.${1 + c % 254}`, port: 8080 };
}

Deno.test({
  name: "under socket activation it serves who waited, and ends when nobody is left",
  ignore: noSocketActivation,
  async fn() {
    const { hostname, port } = ownAddress();
    const through = ["systemd-socket-activate", "-l", `${hostname}:${port}`];
    await using server = start("server", ["--exit-when-idle", "0s"], { through });
    await server.heard(/Listening on .* as 3/);
    using peer = await Peer.connect(port, hostname);
    await peer.greet();
    await server.heard(/^hello-world-server: Listening on port 8080, passed on by the service/m);
    await peer.send("quit\n");
    assert.equal(await peer.rest(), "");
    peer[Symbol.dispose]();
    assert.equal((await server.finished()).code, 0);
  },
});

Deno.test({
  name: "no connection is lost when servers that end at once follow each other on one socket",
  ignore: noSocketActivation,
  async fn() {
    const { hostname, port } = ownAddress();
    // A service manager in miniature: the shell keeps the socket, and starts server after server.
    const again = `while sh -c 'LISTEN_PID=$$ exec "$0" "$@"' "$0" "$@"; do :; done`;
    await using manager = new Running([
      ...["systemd-socket-activate", "-l", `${hostname}:${port}`],
      ...["sh", "-c", again, ...commandOf("server"), "--exit-when-idle", "0s"],
    ]);
    await manager.heard(/Listening on .* as 3/);
    const servers = () => manager.stderr.match(/hello-world-server: Listening/g)?.length ?? 0;
    for (let index = 0; servers() < 15; index++) {
      using peer = await Peer.connect(port, hostname);
      await peer.greet();
      await peer.end();
      assert.equal(await peer.rest(), "");
      peer[Symbol.dispose]();
      // Come back sooner and later: before, at and after the moment the server ends.
      await new Promise((resolve) => setTimeout(resolve, index % 8));
    }
  },
});
