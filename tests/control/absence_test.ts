/** When it is said that no proxy runs: only where nobody is there who could be asked. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Failure } from "../../lib/failure.ts";
import { ControlClient } from "../../lib/control/client.ts";
import { EXIT } from "../../lib/exit_codes.ts";
import { Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

/** How a request fails there. */
async function failureIn(directory: string): Promise<Failure> {
  const error = await new ControlClient(directory, 1000).json("GET", "/v1/status")
    .then(() => null, (error: unknown) => error);
  assert.ok(error instanceof Failure, `${error}`);
  return error;
}

Deno.test("without a socket, and with one that its process left behind, no proxy runs", async () => {
  await using directory = await TemporaryDirectory.make();
  assert.equal((await failureIn(directory.path)).exitCode, EXIT.noProxy);
  const path = join(directory.path, "control.sock");
  const listener = Deno.listen({ transport: "unix", path: `${path}.made` });
  await Deno.rename(`${path}.made`, path);
  listener.close();
  const { exitCode, message } = await failureIn(directory.path);
  assert.equal(exitCode, EXIT.noProxy);
  assert.match(message, /^No proxy runs at /);
});

Deno.test("a proxy that hangs up without an answer was there", async () => {
  await using directory = await TemporaryDirectory.make();
  using listener = Deno.listen({ transport: "unix", path: join(directory.path, "control.sock") });
  const hangsUp = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1));
    connection.close();
  })();
  const { exitCode, message } = await failureIn(directory.path);
  await hangsUp;
  assert.equal(exitCode, EXIT.ended);
  assert.match(message, /went away before it had answered$/);
});

/** Listens, accepts nobody, and fills the queue. */
const FULL = `
import os, socket, sys
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
for client in clients:
    client.setblocking(False)
    try:
        client.connect(path)
    except BlockingIOError:
        print("full", flush=True)
sys.stdin.read()
`;

testWith(without("python3"), "a proxy whose queue is full is there", async () => {
  await using directory = await TemporaryDirectory.make();
  await using full = new Running(
    ["python3", "-c", FULL, join(directory.path, "control.sock")],
  );
  await full.heard(/full/, "stdout");
  const { exitCode, message } = await failureIn(directory.path);
  assert.equal(exitCode, EXIT.unexpected);
  assert.match(message, /than it has room for, or it hangs: try again$/);
});
