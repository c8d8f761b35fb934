/** When it is said that no proxy runs: only where nobody is there who could be asked. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Failure } from "../../lib/failure.ts";
import { ControlClient } from "../../lib/control/client.ts";
import type { Answer, Ask } from "../../lib/control/exchange.ts";
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

/** What whoever comes next says to everything. */
const BY_THE_NEXT = { outcome: "ended" };

/**
 * Resumes a proxy that goes away while what it has said to one who waits for a drain is still to be
 * read.
 *
 * @param lastWords that, in the end
 * @returns what was answered by whoever came next, or how it failed
 */
async function resumedWhileLeaving(lastWords: string): Promise<unknown> {
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  async function* said(): AsyncGenerator<string> {
    yield '{"state":"drained"}\n';
    await left;
    yield lastWords;
  }
  async function* next(): AsyncGenerator<string> {
    yield `${JSON.stringify(BY_THE_NEXT)}\n`;
  }
  let isGone = false;
  const ask: Ask = ({ path }) => {
    const answered = (body: AsyncIterable<string>) => Promise.resolve({ status: 200, body });
    const exchange = (answer: Promise<Answer>) => ({ answer, end() {} });
    if (path === "/v1/drain" && !isGone) return exchange(answered(said()));
    if (isGone) return exchange(answered(next()));
    isGone = true;
    // Once it is known that nobody is there.
    setTimeout(leave);
    return exchange(Promise.reject(Object.assign(new Error("nobody"), { code: "ENOENT" })));
  };
  const proxy = new ControlClient({ name: "there", ask });
  const lines = proxy.drain({ owner: "me" });
  await lines.next();
  const following = lines.next();
  const result = await proxy.json("POST", "/v1/resume").catch((error: unknown) => error);
  await following;
  await lines.return();
  return result;
}

Deno.test("who is gone has moved if it has said so in what is still to be read", async () => {
  const moved = '{"outcome":"moved","waiter":"1"}\n';
  assert.deepEqual(await resumedWhileLeaving(moved), BY_THE_NEXT);
});

for (const lastWords of ["", '{"outcome":"stopped"}\n']) {
  Deno.test(`who is gone with "${lastWords.trim()}" has not moved: no proxy runs`, async () => {
    const failure = await resumedWhileLeaving(lastWords);
    assert.ok(failure instanceof Failure, `${failure}`);
    assert.equal(failure.exitCode, EXIT.noProxy);
  });
}
