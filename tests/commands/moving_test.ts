/** proxyctl while the proxy moves to another process: whoever uses it notices nothing. */

import assert from "node:assert/strict";
import { pathsIn } from "../../lib/runtime_directory/paths.ts";
import { MovingProxy } from "../control/moving_proxy.ts";
import { complete, type Running, start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

function startCtl({ directory }: MovingProxy, ...args: string[]): Running {
  return start("proxyctl", ["--runtime-dir", directory, ...args]);
}

/** Until who waits has asked the process that took over. */
async function isBack(proxy: MovingProxy): Promise<void> {
  await until(() => proxy.requests, (requests) => requests.includes("POST /v1/drain"));
}

Deno.test("a drain goes on over several moves, and ends as if there had been none", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 2);
  await using running = startCtl(first, "drain", "--json");
  await running.heard(/Draining/);
  const second = await first.move("second");
  await isBack(second);
  const third = await second.move("third");
  await using last = await third.move("last");
  await isBack(last);
  last.relay.finishAll();
  const { code, stdout, stderr } = await running.finished();
  assert.equal(code, 0);
  assert.match(stdout, /^\{"outcome":"drained",[^\n]*\}\n$/);
  assert.doesNotMatch(stdout, /waiter/);
  assert.match(stderr, /^Draining for [^\n]*: 2 active[^\n]*\n$/);
  assert.equal(last.drain.status.state, "drained");
});

Deno.test("a deadline that passes after the move is told with 4", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 1);
  await using running = startCtl(first, "drain", "--timeout", "3s");
  await running.heard(/Draining/);
  await using _second = await first.move("second");
  const { code, stderr } = await running.finished();
  assert.equal(code, 4);
  assert.match(stderr, /proxyctl: The deadline passed; traffic was resumed, nothing was cut\n/);
});

Deno.test("proxyctl that is killed after the move has left the drain", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 1);
  await using running = startCtl(first, "drain");
  await running.heard(/Draining/);
  await using second = await first.move("second");
  await isBack(second);
  running.kill("SIGKILL");
  await until(() => second.drain.status.state, (state) => state === "open");
});

Deno.test("with-drain: the command waits, runs and ends over moves, and then all is resumed", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 1);
  await using running = startCtl(
    first,
    ...["with-drain", "--", "sh", "-c", "echo ready; read -r line; exit $line"],
  );
  await running.heard(/Draining/);
  const second = await first.move("second");
  await isBack(second);
  second.relay.finishAll();
  await running.heard(/ready/, "stdout");
  const third = await second.move("third");
  await isBack(third);
  await using last = await third.move("last");
  await isBack(last);
  assert.equal(last.drain.status.state, "drained");
  assert.match(last.drain.status.owner ?? "", new RegExp(`^with-drain ${running.pid} `));
  await running.write("7\n");
  const { code, stdout, stderr } = await running.finished();
  assert.deepEqual([code, stdout], [7, "ready\n"]);
  assert.match(
    stderr,
    /^Draining[^\n]*\nDrained after [^\n]*, running sh [^\n]*\nResumed; nobody was held\n$/,
  );
  assert.equal(last.drain.status.state, "open");
});

Deno.test("with-drain whose command ends during a move resumes where the drain has gone", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 0);
  await using running = startCtl(first, "with-drain", "--", "sh", "-c", "echo ready; read -r line");
  await running.heard(/ready/, "stdout");
  const snapshot = await first.drain.freeze();
  await running.write("\n");
  await until(() => first.requests, (requests) => requests.includes("POST /v1/resume"));
  const second = new MovingProxy(directory.path, "second");
  first.drain.moved();
  await first.close();
  await using _ = second;
  await second.takeOver(first, snapshot);
  await second.serve();
  assert.equal((await running.finished()).code, 0);
  assert.equal(second.drain.status.state, "open");
});

Deno.test("what is asked during a move is answered by who takes over", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 1);
  const snapshot = await first.drain.freeze();
  const asked = [["status", "--json"], ["kill", "1"], ["drain", "--no-wait"]];
  const asking = asked.map((words) => startCtl(first, ...words).finished());
  await until(() => first.requests.length, (requests) => requests === asked.length);
  const second = new MovingProxy(directory.path, "second");
  await using _ = second;
  first.drain.moved();
  await second.takeOver(first, snapshot);
  await second.serve();
  const [status, ...others] = await Promise.all(asking);
  assert.equal(JSON.parse(status?.stdout ?? "").version, "second");
  for (const { code, stderr } of others) assert.deepEqual([code, stderr], [0, ""]);
  await first.close();
  assert.deepEqual([second.relay.active, second.drain.status.state], [0, "drained"]);
});

Deno.test("between two processes, nobody there and a connection that breaks are no failure", async () => {
  await using directory = await TemporaryDirectory.make();
  const first = await MovingProxy.start(directory.path, 1);
  await using running = startCtl(first, "drain");
  await running.heard(/Draining/);
  const snapshot = await first.drain.freeze();
  first.drain.moved();
  await first.close();
  const path = pathsIn(directory.path).control;
  {
    using breaking = Deno.listen({ transport: "unix", path });
    const ended = running.finished().then(({ stderr }) => assert.fail(stderr));
    ended.catch(() => {});
    for (let tries = 0; tries < 3; tries++) {
      (await Promise.race([breaking.accept(), ended])).close();
    }
  }
  const second = new MovingProxy(directory.path, "second");
  await using _ = second;
  await second.takeOver(first, snapshot);
  await second.serve();
  await isBack(second);
  second.relay.finishAll();
  assert.equal((await running.finished()).code, 0);
});

/** They all last 10 s, so they run at the same time. */
const NEVER_ARRIVES: Record<string, (first: MovingProxy) => Promise<void>> = {
  async "with 3 if nobody is there"(first) {
    await using running = startCtl(first, "drain");
    await running.heard(/Draining/);
    await first.drain.freeze();
    first.drain.moved();
    await first.close();
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(
      stderr,
      /proxyctl: The proxy at \/.* was moving to another process, which did not answer within 10s\n$/,
    );
  },

  async "with 1 if it goes on saying so"(first) {
    await first.drain.freeze();
    first.drain.moved();
    const { code, stderr } = await complete("proxyctl", [
      "--runtime-dir",
      first.directory,
      "resume",
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /^proxyctl: The proxy at \/.* was moving to another process, [^\n]*\n$/);
  },

  async "and with-drain ends with its command, saying that it could not resume"(first) {
    await using running = startCtl(
      first,
      ...["with-drain", "--", "sh", "-c", "echo ready; read -r line; echo done"],
    );
    first.relay.finishAll();
    await running.heard(/ready/, "stdout");
    await first.drain.freeze();
    first.drain.moved();
    await first.close();
    await running.write("\n");
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stdout], [0, "ready\ndone\n"]);
    assert.match(
      stderr,
      /proxyctl: Failed to resume: The proxy at .* did not answer within 10s\n$/,
    );
  },
};

testWith(
  onlyForLong,
  "a proxy that moves and never arrives is given up after 10 s",
  async (test) => {
    await Promise.all(
      Object.entries(NEVER_ARRIVES).map(([name, fn]) =>
        test.step({
          name,
          async fn() {
            await using directory = await TemporaryDirectory.make();
            await using first = await MovingProxy.start(directory.path, 1);
            await fn(first);
          },
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
        })
      ),
    );
  },
);
