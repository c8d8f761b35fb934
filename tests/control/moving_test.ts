/** What clients of the control socket see of a move to another process. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { createInterface } from "node:readline";
import { pathsIn } from "../../lib/runtime_directory/paths.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { MovingProxy } from "./moving_proxy.ts";

/** What `POST /v1/drain` answers, line by line as it comes. */
async function askToDrain(proxy: MovingProxy, body: object) {
  const request = httpRequest({
    socketPath: pathsIn(proxy.directory).control,
    method: "POST",
    path: "/v1/drain",
    agent: false,
  }).end(JSON.stringify(body));
  const [response] = await once(request, "response") as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await lines.next();
    return done ? null : JSON.parse(value);
  };
}

Deno.test("who waits gets a token as the last line, and with it goes on in the next process", async () => {
  await using directory = await TemporaryDirectory.make();
  await using first = await MovingProxy.start(directory.path, 1);
  const before = await askToDrain(first, { owner: "me" });
  assert.equal((await before()).state, "draining");
  await using second = await first.move("second");
  const { outcome, waiter, waitedSeconds } = await before();
  assert.equal(outcome, "moved");
  assert.equal(await before(), null);

  const after = await askToDrain(second, { waiter });
  const { state, active, ...progress } = await after();
  assert.deepEqual([state, active], ["draining", 1]);
  assert.ok(progress.waitedSeconds >= waitedSeconds, "it has waited since the beginning");
  const again = await second.request("POST", "/v1/drain", { waiter });
  assert.deepEqual([again.status, JSON.parse(again.text).error.code], [404, "no_such_waiter"]);
  second.relay.finishAll();
  const drained = await after();
  assert.deepEqual([drained.outcome, drained.waiter], ["drained", undefined]);
  assert.ok(drained.waitedSeconds >= progress.waitedSeconds);
  assert.equal(await after(), null);
});

Deno.test("who is attached and comes back is told that it is drained, until it is over", async () => {
  await using directory = await TemporaryDirectory.make();
  await using first = await MovingProxy.start(directory.path, 0);
  const before = await askToDrain(first, { owner: "me", exclusive: true, attached: true });
  assert.equal((await before()).state, "drained");
  await using second = await first.move("second");
  const after = await askToDrain(second, { waiter: (await before()).waiter });
  assert.equal((await after()).state, "drained");
  await second.drain.resume("me", false);
  assert.equal((await after()).outcome, "ended");
});

Deno.test("who comes back and leaves has left the drain", async () => {
  await using directory = await TemporaryDirectory.make();
  await using first = await MovingProxy.start(directory.path, 1);
  const before = await askToDrain(first, { owner: "me" });
  await before();
  await using second = await first.move("second");
  const { waiter } = await before();
  using socket = await Deno.connect({ transport: "unix", path: pathsIn(directory.path).control });
  const body = JSON.stringify({ waiter });
  await socket.write(new TextEncoder().encode(
    `POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  ));
  await socket.read(new Uint8Array(1000));
  assert.equal(second.drain.status.state, "draining");
  socket.close();
  await until(() => second.drain.status.state, (state) => state === "open");
});

Deno.test("who comes back when all is decided gets the outcome alone", async () => {
  await using directory = await TemporaryDirectory.make();
  await using first = await MovingProxy.start(directory.path, 1);
  const before = await askToDrain(first, { owner: "me" });
  await before();
  await using second = await first.move("second");
  await second.drain.resume("me", false);
  const after = await askToDrain(second, { waiter: (await before()).waiter });
  assert.equal((await after()).outcome, "ended");
  assert.equal(await after(), null);
});

Deno.test("what comes while it is frozen waits, and is answered when it goes on", async () => {
  await using directory = await TemporaryDirectory.make();
  await using proxy = await MovingProxy.start(directory.path, 2);
  await proxy.drain.freeze();
  let answered = 0;
  const requests = REQUESTS.map(async ([method, path, body]) => {
    const { status } = await proxy.request(method, path, body);
    answered++;
    return status;
  });
  // Of what is not there at all, nothing can change.
  assert.equal((await proxy.request("GET", "/nowhere")).status, 404);
  assert.deepEqual([answered, proxy.relay.active], [0, 2]);
  proxy.drain.thaw();
  assert.deepEqual(await Promise.all(requests), REQUESTS.map(() => 200));
  assert.equal(proxy.relay.active, 1);
});

Deno.test("what comes while it moves is refused, with 503 and the word to try again at once", async () => {
  await using directory = await TemporaryDirectory.make();
  await using proxy = await MovingProxy.start(directory.path, 2);
  await proxy.drain.freeze();
  const early = REQUESTS.map(([method, path, body]) => proxy.request(method, path, body));
  await proxy.request("GET", "/nowhere");
  proxy.drain.moved();
  const late = REQUESTS.map(([method, path, body]) => proxy.request(method, path, body));
  for (const { status, headers, text } of await Promise.all([...early, ...late])) {
    assert.deepEqual([status, headers["retry-after"]], [503, "0"]);
    assert.equal(JSON.parse(text).error.code, "moved");
  }
  assert.equal(proxy.relay.active, 2);
});

const REQUESTS: [method: string, path: string, body?: object][] = [
  ["GET", "/v1/status"],
  ["GET", "/healthz"],
  ["DELETE", "/v1/connections/1"],
  ["PUT", "/v1/upstream", { upstream: "new.example:80" }],
  ["POST", "/v1/drain", { owner: "me", wait: false }],
  ["POST", "/v1/drain", { owner: "me", dryRun: true }],
  ["POST", "/v1/resume", { owner: "me", force: true }],
];

Deno.test("a token that is none, or not alone, is a bad request", async () => {
  await using directory = await TemporaryDirectory.make();
  await using proxy = await MovingProxy.start(directory.path, 0);
  for (
    const [body, says] of [
      [{ waiter: "x" }, /waiter: is no token/],
      [{ waiter: 7 }, /waiter: expected a string, but got 7/],
      [{ waiter: crypto.randomUUID(), owner: "me" }, /There is no field "owner"; there is: waiter/],
    ] as const
  ) {
    const { status, text } = await proxy.request("POST", "/v1/drain", body);
    assert.equal(status, 400);
    assert.match(JSON.parse(text).error.message, says);
  }
});

Deno.test("while it moves again and again somebody always answers", async () => {
  await using directory = await TemporaryDirectory.make();
  let proxy = await MovingProxy.start(directory.path, 0);
  let over = false;
  const asking = (async () => {
    const seen = new Set<string>();
    while (!over) {
      const { status, text } = await proxy.request("GET", "/v1/status");
      assert.ok(status === 200 || status === 503, text);
      if (status === 200) seen.add(JSON.parse(text).version);
    }
    return seen;
  })();
  for (let move = 1; move <= 20; move++) proxy = await proxy.move(`process ${move}`);
  await until(() => proxy.request("GET", "/v1/status"), ({ status }) => status === 200);
  over = true;
  assert.ok((await asking).has("process 20"));
  await proxy[Symbol.asyncDispose]();
  assert.deepEqual([...Deno.readDirSync(directory.path)], []);
});
