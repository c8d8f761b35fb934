import assert from "node:assert/strict";
import { echo, type Peer } from "../relay/peer.ts";
import { complete, type Running, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { recovers } from "../support/recovers.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** Those that nobody has. */
let free: Two | null = null;

Deno.test.afterAll(() => free?.end());

/** Two proxies before one service, which the tests have one after the other. */
class Two implements AsyncDisposable {
  private constructor(
    readonly all: readonly Proxy[],
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async start(): Promise<Two> {
    if (free !== null) {
      const two = free;
      free = null;
      for (const { process } of two.all) process.forget();
      return two;
    }
    await using stack = new AsyncDisposableStack();
    const service = stack.use(await echo());
    const all = await Promise.all([1, 2].map(() => Proxy.start(service.address)));
    for (const proxy of all) stack.use(proxy);
    return new Two(all, stack.move());
  }

  get first(): Proxy {
    return this.all[0] as Proxy;
  }

  get second(): Proxy {
    return this.all[1] as Proxy;
  }

  /** What names both. */
  names(order = this.all): string[] {
    return order.flatMap(({ directory }) => ["--runtime-dir", directory]);
  }

  ctl(...args: string[]) {
    return complete("proxyctl", [...this.names(), ...args]);
  }

  startCtl(args: readonly string[], order = this.all): Running {
    return start("proxyctl", [...this.names(order), ...args]);
  }

  async states(): Promise<string[]> {
    return (await Promise.all(this.all.map((proxy) => proxy.status()))).map(({ state }) => state);
  }

  async end(): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const areAsBefore = await Promise.all(this.all.map(recovers));
    if (free === null && !areAsBefore.includes(false)) free = this;
    else await this.end();
  }
}

Deno.test("several are drained together, and resumed, by one owner", async () => {
  await using two = await Two.start();
  using client = await two.second.served();
  await using drain = two.startCtl(["drain", "--owner", "me"]);
  await drain.heard(new RegExp(`Draining for .*: 1 active.*${client.name}`));
  await two.first.until(({ state }) => state === "drained");
  client.finish();
  const { code, stdout } = await drain.finished();
  assert.equal(code, 0);
  for (const { directory } of two.all) {
    assert.match(stdout, new RegExp(`${directory}: Drained after`));
  }
  assert.deepEqual(
    (await Promise.all(two.all.map((one) => one.status()))).map((one) => one.owner),
    [
      "me",
      "me",
    ],
  );
  const status = await two.ctl("status", "--json");
  const { proxies } = JSON.parse(status.stdout);
  assert.deepEqual(proxies.map(({ proxy, state }: Record<string, string>) => [proxy, state]), [
    [two.first.directory, "drained"],
    [two.second.directory, "drained"],
  ]);
  assert.equal((await two.ctl("wait", "--for", "drained", "--timeout", "1m")).code, 0);
  const resumed = await two.ctl("resume", "--owner", "me", "--json");
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.equal(JSON.parse(resumed.stdout).proxies.length, 2);
  assert.deepEqual(await two.states(), ["open", "open"]);
});

testWith(onlyForLong, "if one cannot be drained in time none is, and it is named", async () => {
  await using two = await Two.start();
  using client = await two.second.served();
  const { code, stdout, stderr } = await two.ctl("drain", "--timeout", "1ms");
  assert.deepEqual([code, stdout], [4, ""]);
  assert.ok(stderr.includes(`proxyctl: ${two.second.directory}: The deadline passed`), stderr);
  assert.ok(stderr.includes(client.name));
  assert.deepEqual(await two.states(), ["open", "open"]);
  const json = JSON.parse((await two.ctl("drain", "--timeout", "1ms", "--json")).stdout);
  assert.deepEqual([json.error.code, json.outcome], ["deadline", "deadline"]);
});

Deno.test("if one is another's none is held, and who was drained before stays so", async () => {
  await using two = await Two.start();
  const [first, second] = two.all.toSorted((a, b) => a.directory < b.directory ? -1 : 1) as [
    Proxy,
    Proxy,
  ];
  await second.drain({ owner: "you" });
  const refused = await two.ctl("drain", "--owner", "me");
  assert.equal(refused.code, 5);
  assert.ok(refused.stderr.startsWith(`proxyctl: ${second.directory}: The proxy is drained by`));
  assert.equal((await first.status()).state, "open");
  await first.drain({ owner: "me" });
  assert.equal((await two.ctl("drain", "--owner", "me")).code, 5);
  assert.equal((await first.status()).state, "drained");
});

Deno.test("two who drain the same proxies and name them in another order cannot block one another", async () => {
  await using two = await Two.start();
  const command = ["with-drain", "--", "sh", "-c", "echo ready; read -r line"];
  await using one = two.startCtl(command);
  await using other = two.startCtl(command, two.all.toReversed());
  const ready = await Promise.any(
    [one, other].map(async (running) => {
      await running.heard(/ready/, "stdout");
      return running;
    }),
  );
  const loser = ready === one ? other : one;
  assert.equal((await loser.finished()).code, 5);
  assert.deepEqual(await two.states(), ["drained", "drained"]);
  await ready.write("\n");
  assert.equal((await ready.finished()).code, 0);
  assert.deepEqual(await two.states(), ["open", "open"]);
});

Deno.test("with-drain of several: all are resumed whatever happens, and each says whom it held", async () => {
  await using two = await Two.start();
  await using running = two.startCtl(["with-drain", "--", "sh", "-c", "echo ready; read -r line"]);
  await running.heard(/ready/, "stdout");
  const held: Peer[] = [];
  for (const proxy of two.all) held.push(await proxy.connect());
  await Promise.all(two.all.map((proxy) => proxy.until(({ queued }) => queued === 1)));
  await running.write("\n");
  const { code, stderr } = await running.finished();
  assert.equal(code, 0);
  assert.match(stderr, /^Drained after \S+, running sh /);
  for (const { directory } of two.all) {
    assert.match(stderr, new RegExp(`\n${directory}: Resumed; 1 client was held, `));
  }
  for (const peer of held) peer[Symbol.dispose]();

  await using killed = two.startCtl(["with-drain", "--", "sh", "-c", "echo ready; read -r line"]);
  await killed.heard(/ready/, "stdout");
  killed.kill("SIGKILL");
  await Promise.all(two.all.map((proxy) => proxy.until(({ state }) => state === "open")));
});

testWith(
  onlyForLong,
  "one that is named twice is one, and verbs about one proxy refuse several",
  async () => {
    await using two = await Two.start();
    const { directory } = two.first;
    const twice = ["--runtime-dir", directory, "drain", "--runtime-dir", `${directory}/../proxy`];
    const drained = await complete("proxyctl", twice);
    assert.equal(drained.code, 0, drained.stderr);
    assert.match(drained.stdout, /^Drained after \S+\n$/);
    const { code, stderr } = await two.ctl("upgrade");
    assert.deepEqual([code, stderr], [2, "proxyctl: This is about one proxy: name only one\n"]);
  },
);
