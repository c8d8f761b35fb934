import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { commandOf, Running } from "../support/programs.ts";
import { FakeServer } from "./fake_server.ts";
import { isMissing } from "./tools.ts";

/** The escape sequences with which a line is cleared, before the prompt or a reply is drawn. */
const CLEARED = "\x1b[1G\x1b[0J";

const noScript = await isMissing("script", "-qec", "true", "/dev/null");

/** Tests a client that runs on a terminal, and is in conversation with the test over a socket. */
function onTerminal(
  name: string,
  test: (peers: { client: Running; socket: Socket }) => Promise<void>,
): void {
  Deno.test({
    name: `on a terminal ${name}`,
    ignore: noScript,
    async fn() {
      const { promise: connected, resolve } = Promise.withResolvers<Socket>();
      await using server = await FakeServer.start(resolve);
      const command = [...commandOf("client"), server.address];
      const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
      await using client = new Running([
        "script",
        "-qec",
        `stty cols 30 rows 10 && exec ${quoted}`,
        "/dev/null",
      ]);
      const socket = await connected;
      await client.heard(/Connected to \S+: say "hello" or "quit"\r\n.*> /s, "stdout");
      await test({ client, socket });
    },
  });
}

onTerminal("a line is edited, sent, and answered", async ({ client, socket }) => {
  const line = once(socket, "data");
  await client.write("helo\x1b[Dl\r"); // the left arrow, and what was missing
  assert.equal(String((await line)[0]), "hello\r\n");
  socket.write("Hello world!\r\n");
  await client.heard(/Hello world!\r\n.*> /s, "stdout");
});

onTerminal("a reply leaves the line that is being typed intact", async ({ client, socket }) => {
  await client.write("hel");
  await client.heard(/> .*hel/s, "stdout");
  socket.write("Late\r\n");
  await client.heard(/Late\r\n/, "stdout");
  const [, after] = await client.heard(/Late\r\n(.*hel)/s, "stdout");
  assert.equal(after, `${CLEARED}> hel`);
  assert.ok(client.stdout.includes(`${CLEARED}Late\r\n`));
  const line = once(socket, "data");
  await client.write("lo\r");
  assert.equal(String((await line)[0]), "hello\r\n");
});

onTerminal("a reply leaves a line intact that is longer than the screen", async (peers) => {
  const { client, socket } = peers;
  const text = "0123456789".repeat(5); // with the prompt two rows of 30
  await client.write(text);
  await client.heard(/> .*9$/s, "stdout");
  socket.write("Late\r\n");
  const [, after] = await client.heard(/Late\r\n(.*9)/s, "stdout");
  assert.equal(after, `${CLEARED}> ${text}`); // and not up again, over the reply
  assert.ok(client.stdout.includes(`\x1b[1A${CLEARED}Late\r\n`));
});

onTerminal("a reply cannot steer the terminal", async ({ client, socket }) => {
  socket.write("\x1b[2Jevil\r\n");
  await client.heard(/\\u001b\[2Jevil\r\n/, "stdout");
  assert.ok(!client.stdout.includes("\x1b[2J"));
});

onTerminal("Ctrl-D ends our side, and what is still to come is shown", async (peers) => {
  const { client, socket } = peers;
  const line = once(socket, "data");
  await client.write("hello\r");
  await line;
  const end = once(socket, "end");
  await client.write("\x04");
  await end;
  socket.end("Hello world!\r\n");
  const { code, stdout } = await client.finished();
  assert.equal(code, 0);
  assert.match(stdout, /\r\nHello world!\r\n$/);
});

onTerminal("quit ends it without another prompt", async ({ client, socket }) => {
  const line = once(socket, "data");
  await client.write("quit\r");
  assert.equal(String((await line)[0]), "quit\r\n");
  socket.end();
  const { code, stdout } = await client.finished();
  assert.equal(code, 0);
  assert.match(stdout, /quit[\r\n]+$/);
});

onTerminal("Ctrl-C ends it at once", async ({ client }) => {
  await client.write("hel\x03");
  assert.equal((await client.finished()).code, 130);
});

onTerminal("a late answer is said above the line being typed", async ({ client, socket }) => {
  socket.resume();
  await client.write("hello\r");
  await client.write("hel");
  await client.heard(/Still waiting for 127.* an upgrade\r\n/, "stdout");
  await client.heard(/an upgrade\r\n.*> hel/s, "stdout");
});

onTerminal("it ends when the server does, and says so", async ({ client, socket }) => {
  await client.write("hel");
  await client.heard(/> .*hel/s, "stdout");
  socket.end();
  const { code, stdout } = await client.finished();
  assert.equal(code, 0);
  assert.ok(stdout.endsWith(`${CLEARED}The server closed the connection\r\n`), stdout);
});

onTerminal("a connection that breaks is one clear line, on a line of its own", async (peers) => {
  const { client, socket } = peers;
  await client.write("hel");
  await client.heard(/> .*hel/s, "stdout");
  socket.resetAndDestroy();
  const { code, stdout } = await client.finished();
  assert.equal(code, 1);
  const line = /^hello-world-client: The connection to \S+ broke: the other side reset it\r\n$/;
  assert.match(stdout.slice(stdout.lastIndexOf(CLEARED) + CLEARED.length), line);
});
