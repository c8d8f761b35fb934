import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { FakeServer } from "./protocol/fake_server.ts";
import { onlyForLong } from "./support/long.ts";
import { commandOf, complete, type Running, start } from "./support/programs.ts";
import { testWith } from "./support/tools.ts";

const NAME = "hello-world-client";

/** A real server on a free port. Disposing of it kills it. */
async function startServer(host = "127.0.0.1"): Promise<{ server: Running; port: number }> {
  const server = start("server", [host.includes(":") ? `[${host}]:0` : `${host}:0`]);
  const [, port] = await server.heard(/Listening on port (\d+)\b.*\n/);
  return { server, port: Number(port) };
}

let shared: ReturnType<typeof startServer> | null = null;

Deno.test.afterAll(async () => await (await shared)?.server[Symbol.asyncDispose]());

/** The port of a server for all tests that leave it running. */
async function sharedServer(): Promise<number> {
  return (await (shared ??= startServer())).port;
}

Deno.test("from a pipe it sends the lines and prints the replies", async () => {
  const port = await sharedServer();
  const input = "hello\n\r\nfoo\r\nhello"; // a last line without ending is one, too
  const finished = await complete("client", [`127.0.0.1:${port}`], { input });
  assert.deepEqual(finished, {
    code: 0,
    signal: null,
    stdout: 'Hello world!\nUnknown command: "foo". Say "hello" or "quit".\nHello world!\n',
    stderr: "",
  });
});

testWith(onlyForLong, "the server can be named by the environment", async () => {
  const port = await sharedServer();
  const env = { HELLO_WORLD_SERVER: `127.0.0.1:${port}` };
  const { code, stdout } = await complete("client", [], { input: "hello\n", env });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "Hello world!\n" });
});

Deno.test("many lines are all answered", async () => {
  const port = await sharedServer();
  const input = "hello\n".repeat(100_000);
  const { code, stdout } = await complete("client", [`127.0.0.1:${port}`], { input });
  assert.equal(code, 0);
  assert.equal(stdout, "Hello world!\n".repeat(100_000));
});

Deno.test("a reply is printed while stdin is still open", async () => {
  const port = await sharedServer();
  await using client = start("client", [`127.0.0.1:${port}`]);
  await client.write("hello\n");
  await client.heard(/^Hello world!\n$/, "stdout");
  await client.closeStdin();
  assert.equal((await client.finished()).code, 0);
});

Deno.test("it ends when the server does, without waiting for stdin", async () => {
  const { server, port } = await startServer();
  await using _ = server;
  await using client = start("client", [`127.0.0.1:${port}`]);
  await client.write("hello\n");
  await client.heard(/Hello/, "stdout");
  server.kill("SIGTERM");
  assert.deepEqual(await client.finished(), {
    code: 0,
    signal: null,
    stdout: "Hello world!\n",
    stderr: "",
  });
});

Deno.test("quit ends it, and what follows is not sent", async () => {
  let received = "";
  await using fake = await FakeServer.start((socket) => {
    socket.on("data", (data) => {
      received += data;
      if (received.includes("quit\r\n")) socket.end("Bye!\r\n");
    });
  });
  await using client = start("client", [fake.address]);
  await client.write("quit\nhello\n");
  const { code, stdout } = await client.finished();
  assert.deepEqual({ code, stdout, received }, { code: 0, stdout: "Bye!\n", received: "quit\r\n" });
});

Deno.test("at the end of stdin it ends its side, and waits for what is still to come", async () => {
  await using fake = await FakeServer.start((socket) => {
    socket.resume();
    socket.on("end", () => socket.end("Late\r\nand without an ending"));
  });
  const { code, stdout } = await complete("client", [fake.address], { input: "hello\nhello\n" });
  assert.equal(code, 1); // the last reply is not whole
  assert.equal(stdout, "Late\nand without an ending\n");
});

Deno.test("bytes that are not UTF-8 pass unchanged", async () => {
  const bytes = Uint8Array.of(0xff, 0x00, 0xc3, 0x0a);
  const received: number[] = [];
  await using fake = await FakeServer.start((socket) => {
    socket.on("data", (data) => received.push(...data as Uint8Array));
    socket.on("end", () => socket.end(bytes));
  });
  const command = [...commandOf("client"), fake.address];
  const script = `printf '\\377\\000\\303\\n' | "$0" "$@" | od -An -v -tx1`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, ...command] }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), "ff 00 c3 0a");
  assert.deepEqual(received, [0xff, 0x00, 0xc3, 0x0d, 0x0a]);
});

Deno.test("a connection that is refused is one clear line and exit 1", async () => {
  const fake = await FakeServer.start(() => {});
  const { address } = fake;
  await fake[Symbol.asyncDispose]();
  const { code, stderr } = await complete("client", [address], { input: "hello\n" });
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `${NAME}: Failed to connect to ${address}: nothing listens there; ` +
      "start the server, or name another\n",
  );
});

Deno.test("a connection that breaks is one clear line and exit 1, with stdin open", async () => {
  await using fake = await FakeServer.start((socket) => {
    socket.once("data", () => {
      socket.write("Hello world!\r\n");
      socket.once("data", () => socket.resetAndDestroy());
    });
  });
  await using client = start("client", [fake.address]);
  await client.write("hello\n");
  await client.heard(/Hello/, "stdout");
  await client.write("hello\n");
  assert.deepEqual(await client.finished(), {
    code: 1,
    signal: null,
    stdout: "Hello world!\n",
    stderr: `${NAME}: The connection to ${fake.address} broke: the other side reset it\n`,
  });
});

Deno.test("a server that ends without answering is one clear line and exit 1", async () => {
  await using fake = await FakeServer.start((socket) => {
    socket.once("data", () => socket.end("Hello world!\r\n"));
  });
  const { code, stdout, stderr } = await complete("client", [fake.address], {
    input: "hello\nhello\nhello\n",
  });
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "Hello world!\n" });
  assert.equal(
    stderr,
    `${NAME}: The connection to ${fake.address} ended before everything was answered: ` +
      "2 sent without an answer\n",
  );
});

Deno.test("a reply without end is one clear line and exit 1", async () => {
  await using fake = await FakeServer.start((socket) => {
    socket.write("x".repeat(1024 * 1024 + 1));
  });
  const { code, stderr } = await complete("client", [fake.address], { input: "hello\n" });
  assert.equal(code, 1);
  assert.match(stderr, /^hello-world-client: Failed to read a reply of .*\n$/);
});

testWith(onlyForLong, "a line of stdin without end is one clear line and exit 1", async () => {
  await using fake = await FakeServer.start((socket) => socket.resume());
  await using client = start("client", [fake.address]);
  client.write("x".repeat(1024 * 1024 + 1)).catch(() => {});
  const { code, stderr } = await client.finished();
  assert.equal(code, 1);
  assert.match(stderr, /^hello-world-client: Failed to send a line of stdin: .*\n$/);
});

Deno.test("it says once for each wait that an answer is late", async () => {
  await using fake = await FakeServer.start((socket) => {
    let received = "";
    socket.on("data", (data) => {
      received += data;
      if (received === "hello\r\nhello\r\n") socket.write("Hello world!\r\nHello world!\r\n");
      if (received.endsWith("quit\r\n")) socket.end();
    });
  });
  await using client = start("client", [fake.address]);
  const line = `${NAME}: Still waiting for ${fake.address} to answer: ` +
    "it may have queued us behind an upgrade\n";
  await client.write("hello\n");
  await client.heard(/Still waiting.*\n/);
  await client.write("hello\n"); // still the same wait
  await client.heard(/(Hello.*\n){2}/, "stdout");
  assert.equal(client.stderr, line);
  await client.write("hello\n");
  await client.heard(/(.*Still waiting.*\n){2}/);
  await client.write("quit\n");
  const { code, stderr } = await client.finished();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: line.repeat(2) });
});

testWith(onlyForLong, "it says that the server's end is late", async () => {
  const ends: (() => void)[] = [];
  await using fake = await FakeServer.start((socket) => {
    socket.resume();
    ends.push(() => socket.end());
  });
  await using client = start("client", [fake.address]);
  await client.closeStdin();
  await client.heard(/Still waiting.*\n/);
  for (const end of ends) end();
  assert.equal((await client.finished()).code, 0);
});

Deno.test({
  name: "it says that it is waiting when already the connection is late",
  ignore: Deno.build.os !== "linux", // elsewhere a full queue may refuse
  async fn() {
    // Nobody accepts; when the queue is full, the kernel lets newcomers wait.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { port } = listener.addr as Deno.NetAddr;
    const signal = AbortSignal.timeout(60_000);
    const fillers = Array.from(
      { length: 8 },
      () => Deno.connect({ hostname: "127.0.0.1", port, signal }).catch(() => null),
    );
    await Promise.any(fillers);
    await using client = start("client", [`127.0.0.1:${port}`]);
    await client.write("hello\n");
    await client.heard(/^hello-world-client: Still waiting for 127.0.0.1:\d+ to answer/);
    client.kill("SIGKILL");
    await client.finished();
    // The fillers that waited get through, one after the other, and are let go.
    let open = fillers.length;
    for (const filler of fillers) filler.then((connection) => (open--, connection?.close()));
    while (open > 0) (await listener.accept()).close();
    await Promise.all(fillers);
  },
});

Deno.test("stdin and stdout that fail are one clear line and exit 1", async () => {
  const port = await sharedServer();
  for (
    const [redirection, message] of [
      ["< /", `${NAME}: Failed to read stdin: `],
      ["> /dev/full", `${NAME}: Failed to write to stdout: `],
    ]
  ) {
    const command = [...commandOf("client"), `127.0.0.1:${port}`];
    const args = ["-c", `echo hello | "$0" "$@" ${redirection}`, ...command];
    const { code, stderr } = await new Deno.Command("sh", { args }).output();
    assert.equal(code, 1);
    const line = new TextDecoder().decode(stderr);
    assert.match(line, /^[^\n]+\n$/);
    assert.ok(line.startsWith(message ?? ""), line);
  }
});

Deno.test("output to a closed pipe is no error message", async () => {
  const port = await sharedServer();
  const command = [...commandOf("client"), `127.0.0.1:${port}`];
  const script = `yes hello | "$0" "$@" | head -n 1`;
  const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", script, ...command] })
    .output();
  assert.equal(new TextDecoder().decode(stdout), "Hello world!\n");
  assert.doesNotMatch(new TextDecoder().decode(stderr), /hello-world-client|error|at /i);
});

Deno.test("every address of a name is tried", async () => {
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of addresses) {
    const { server, port } = await startServer(address);
    await using _ = server;
    const finished = await complete("client", [`localhost:${port}`], { input: "hello\n" });
    assert.equal(finished.stdout, "Hello world!\n", finished.stderr);
  }
});

for (
  const [args, env, message] of [
    [[], {}, "missing argument: name the server as HOST:PORT, or set HELLO_WORLD_SERVER"],
    [[], { HELLO_WORLD_SERVER: "" }, "missing argument: name the server"],
    [[], { HELLO_WORLD_SERVER: "x" }, 'HELLO_WORLD_SERVER: "x" is no address: expected HOST:PORT'],
    [["8080"], {}, 'The server "8080" has no host: write 127.0.0.1:8080'],
    [["no-such-host.invalid:1"], {}, "Failed to connect to no-such-host.invalid:1: "],
  ] as const
) {
  const name = JSON.stringify([NAME, ...args].join(" "));
  // What the command line alone does not show to be wrong is no bad usage.
  const expected = /^missing|^The server/.test(message) ? 2 : 1;
  const given = JSON.stringify(env);
  Deno.test(`${name} with ${given} is one clear line and exit ${expected}`, async () => {
    const { code, stdout, stderr } = await complete("client", args, { env });
    assert.deepEqual({ code, stdout }, { code: expected, stdout: "" });
    assert.match(stderr, /^hello-world-client: .*\n$/);
    assert.ok(stderr.includes(message), stderr);
  });
}
