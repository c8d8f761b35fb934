import assert from "node:assert/strict";
import { Upstream, type UpstreamParts } from "../../lib/relay/upstream.ts";

/** A name server that answers when the test says so, and what an upstream makes of it. */
class Names {
  /** What was asked and is not answered yet. */
  readonly asked: { name: string; answer: PromiseWithResolvers<readonly string[]> }[] = [];
  questions = 0;
  changes = 0;
  clock = 0;
  readonly upstream: Upstream;

  constructor(host: string, parts: UpstreamParts = {}) {
    this.upstream = new Upstream({ host, port: 80 }, {
      find: (name) => {
        const answer = Promise.withResolvers<readonly string[]>();
        this.asked.push({ name, answer });
        this.questions++;
        return answer.promise;
      },
      changed: () => this.changes++,
      now: () => this.clock,
      ...parts,
    });
  }

  /** Answers the oldest question, or says that there is no answer. */
  async answer(...hosts: string[]): Promise<string> {
    const { name, answer } = this.asked.shift() ?? assert.fail("nobody has asked");
    if (hosts.length > 0) answer.resolve(hosts);
    else answer.reject(new Error(`${name} has no address`));
    await answer.promise.catch(() => {});
    await Promise.resolve();
    return name;
  }

  /** Somebody found nobody there, so many seconds later. */
  failAfter(seconds: number): void {
    this.clock += 1000 * seconds;
    this.upstream.refresh();
  }
}

Deno.test("a name has no addresses before it is looked up, and then those that were found", async () => {
  const names = new Names("service.test");
  assert.equal(names.upstream.hosts, null);
  assert.equal(names.upstream.error, "service.test is still being looked up");
  const known = names.upstream.known();
  await names.answer("192.0.2.1", "192.0.2.2");
  assert.deepEqual(await known, ["192.0.2.1", "192.0.2.2"]);
  assert.deepEqual(names.upstream.hosts, ["192.0.2.1", "192.0.2.2"]);
});

Deno.test("what was found last is used while a name server is silent, or has no answer, until there is one", async () => {
  const names = new Names("service.test");
  await names.answer("192.0.2.1");
  names.failAfter(2);
  assert.deepEqual(names.upstream.hosts, ["192.0.2.1"]);
  assert.deepEqual(await names.upstream.known(), ["192.0.2.1"]);
  await names.answer();
  assert.deepEqual(names.upstream.hosts, ["192.0.2.1"]);
  names.failAfter(2);
  await names.answer("192.0.2.2");
  assert.deepEqual(names.upstream.hosts, ["192.0.2.2"]);
});

Deno.test("a name that was never found has no addresses, which is no reason to wait", async () => {
  const names = new Names("service.test");
  await names.answer();
  assert.deepEqual(names.upstream.hosts, []);
  assert.equal(names.upstream.error, "service.test has no address");
  await assert.rejects(names.upstream.known(), { message: "service.test has no address" });
});

Deno.test("however often nobody is found there, the name is looked up once at a time, and once a second", async () => {
  const names = new Names("service.test");
  for (let count = 0; count < 100; count++) names.failAfter(0.1);
  assert.equal(names.questions, 1);
  await names.answer("192.0.2.1");
  for (let count = 0; count < 100; count++) {
    names.failAfter(0.1);
    if (names.asked.length > 0) await names.answer("192.0.2.1");
  }
  assert.equal(names.questions, 11);
});

Deno.test("of another name nothing is known, and the answer about the one before counts no more", async () => {
  const names = new Names("service.test");
  await names.answer("192.0.2.1");
  names.failAfter(2);
  const { replaced } = names.upstream;
  names.upstream.address = { host: "other.test", port: 80 };
  assert.equal(replaced.aborted, true);
  assert.equal(names.upstream.hosts, null);
  assert.equal(await names.answer("192.0.2.2"), "service.test");
  assert.equal(names.upstream.hosts, null);
  assert.equal(await names.answer("192.0.2.3"), "other.test");
  assert.deepEqual(names.upstream.hosts, ["192.0.2.3"]);
});

Deno.test("another port of the same name, and an address by number, need not be looked up first", async () => {
  const names = new Names("service.test");
  await names.answer("192.0.2.1");
  names.upstream.address = { host: "service.test", port: 81 };
  assert.deepEqual(names.upstream.hosts, ["192.0.2.1"]);
  names.upstream.address = { host: "2001:db8::1", port: 81 };
  assert.deepEqual(names.upstream.hosts, ["2001:db8::1"]);
});

Deno.test("what begins now waits for what a name means now, but only a moment", async () => {
  const names = new Names("service.test");
  // Clients wait for a name of which nothing is known; nobody else need.
  await names.upstream.settle();
  await names.answer("192.0.2.1");
  const settled = names.upstream.settle();
  assert.equal(names.asked.length, 1);
  await names.answer("192.0.2.2");
  await settled;
  assert.deepEqual(names.upstream.hosts, ["192.0.2.2"]);
  await names.upstream.settle();
  assert.equal(names.asked.length, 1);
  assert.deepEqual(names.upstream.hosts, ["192.0.2.2"]);
});

Deno.test("an address that is the proxy itself is not tried, and where there is no other that is said", async () => {
  const isItself = ({ host, port }: { host: string; port: number }) =>
    host.startsWith("127.") && port === 80;
  const names = new Names("service.test", { isItself });
  await names.answer("127.0.0.1", "192.0.2.1");
  assert.deepEqual(names.upstream.hosts, ["192.0.2.1"]);
  names.failAfter(2);
  await names.answer("127.0.0.1");
  assert.deepEqual(names.upstream.hosts, []);
  assert.equal(names.upstream.error, "service.test:80 is this proxy itself");
  names.upstream.address = { host: "127.0.0.1", port: 80 };
  assert.deepEqual(names.upstream.hosts, []);
  names.upstream.address = { host: "127.0.0.1", port: 81 };
  assert.deepEqual(names.upstream.hosts, ["127.0.0.1"]);
});

Deno.test("the address that answered is the first to be tried", async () => {
  const names = new Names("service.test");
  await names.answer("192.0.2.1", "192.0.2.2", "192.0.2.3");
  names.upstream.prefer("192.0.2.3");
  names.upstream.prefer("192.0.2.9");
  assert.deepEqual(names.upstream.hosts, ["192.0.2.3", "192.0.2.1", "192.0.2.2"]);
});
