import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { MOST_CONNECTIONS } from "../../lib/control/http/server.ts";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, whyReadsOutliveClosing, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { onlyForLong } from "../support/long.ts";

const text = new TextEncoder();

function connect(proxy: Proxy): Promise<Deno.UnixConn> {
  return Deno.connect({ transport: "unix", path: proxy.controlSocket });
}

async function writeAll(socket: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await socket.write(bytes));
}

/** How many descriptors the proxy has. */
function descriptors(proxy: Proxy): number {
  return [...Deno.readDirSync(`/proc/${proxy.process.pid}/fd`)].length;
}

/** What the proxy takes of the memory, in MiB. */
async function resident(proxy: Proxy): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${proxy.process.pid}/status`);
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024;
}

/** Both planes work: a request is answered, and a client is served. */
async function assertWorks(proxy: Proxy): Promise<void> {
  assert.equal((await proxy.status()).state, "open");
  using client = await proxy.served();
  assert.equal(client.received, 2);
}

Deno.test("bytes that are no HTTP, and requests that break off, harm nobody", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await assertWorks(proxy);
  await proxy.until(({ active }) => active === 0);
  const before = descriptors(proxy);
  const head = "POST /v1/drain HTTP/1.1\r\nhost: a\r\n";
  const broken = [
    "POST /v1/drain HTT",
    `${head}content-length: 20\r\n\r\n{"owner":`,
    `${head}transfer-encoding: chunked\r\n\r\n9\r\n{"owner":`,
  ].map((words) => text.encode(words));
  for (let round = 0; round < 100; round++) {
    using socket = await connect(proxy);
    await socket.write(broken[round % 4] ?? randomBytes(2000)).catch(() => {});
  }
  await assertWorks(proxy);
  await until(() => descriptors(proxy), (now) => now <= before);
  const said = proxy.log().filter(({ level }) => level !== "DEBUG").map(({ event }) => event);
  assert.deepEqual(said, ["listen"]);
});

Deno.test("a body of 10 MB is refused without being kept", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await assertWorks(proxy);
  const before = await resident(proxy);
  for (const framing of [`content-length: ${10 << 20}`, "transfer-encoding: chunked"]) {
    using socket = await connect(proxy);
    await socket.write(text.encode(`POST /v1/drain HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\n`));
    if (framing.startsWith("transfer")) await socket.write(text.encode("a00000\r\n"));
    const sending = (async () => {
      for (let sent = 0; sent < 10; sent++) await socket.write(new Uint8Array(1 << 20));
    })().catch(() => {});
    const answer = new Uint8Array(1000);
    const count = await socket.read(answer) ?? 0;
    assert.match(new TextDecoder().decode(answer.subarray(0, count)), /^HTTP\/1\.1 413 /);
    socket.close();
    await sending;
  }
  await assertWorks(proxy);
  const grown = await resident(proxy) - before;
  assert.ok(grown < 30, `${grown} MiB more`);
});

Deno.test("a body in pieces of one byte takes no more memory than one in one piece", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await assertWorks(proxy);
  const before = await resident(proxy);
  const head = "POST /v1/drain HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  for (const [size, status] of [[60_000, 400], [360_000, 413]] as const) {
    using socket = await connect(proxy);
    const sending = writeAll(socket, text.encode(head + "1\r\nx\r\n".repeat(size)))
      .then(() => writeAll(socket, text.encode("0\r\n\r\n")))
      .catch(() => {});
    const answer = new Uint8Array(1000);
    const count = await socket.read(answer) ?? 0;
    const said = new TextDecoder().decode(answer.subarray(0, count));
    assert.match(said, new RegExp(`^HTTP/1\\.1 ${status} `));
    await sending;
  }
  await assertWorks(proxy);
  const grown = await resident(proxy) - before;
  assert.ok(grown < 30, `${grown} MiB more`);
});

testWith(
  whyReadsOutliveClosing ?? without("prlimit"),
  "silent control connections take no descriptors from clients, nor from who has a request",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, {
      through: ["prlimit", "--nofile=512:512"],
    });
    using established = await proxy.served();
    const before = descriptors(proxy);
    const silent = await Promise.all(Array.from({ length: 1000 }, () => connect(proxy)));
    for (let client = 0; client < 5; client++) {
      await assertWorks(proxy);
      const more = descriptors(proxy) - before;
      assert.ok(more <= MOST_CONNECTIONS + 4, `${more} descriptors more`);
    }
    await established.send("hi");
    assert.equal(await established.read(2), "hi");
    const memory = await resident(proxy);
    assert.ok(memory < 300, `${memory} MiB`);
    established.finish();
    const drained = await proxy.ctl(["drain"]);
    assert.deepEqual([drained.code, drained.stderr], [0, ""]);
    for (const socket of silent) socket.close();
    await until(() => descriptors(proxy), (now) => now <= before + 1);
  },
);

testWith(
  onlyForLong,
  "a body that comes slowly keeps nobody out, and is still understood",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using slow = await connect(proxy);
    const body = '{"owner":"slow"}';
    await slow.write(
      text.encode(`POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`),
    );
    for (const letter of body.slice(0, -1)) {
      await slow.write(text.encode(letter));
      if (letter === "w") await assertWorks(proxy);
    }
    await slow.write(text.encode("}"));
    await proxy.logged("drained");
    assert.equal((await proxy.status()).owner, "slow");
  },
);

Deno.test("who asks for a drain and does not read the answer does not pile it up", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  using socket = await connect(proxy);
  const body = '{"owner":"deaf"}';
  await socket.write(
    text.encode(
      `POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ),
  );
  await proxy.logged("drain");
  active.finish();
  await proxy.logged("drained");
  assert.equal((await proxy.status()).owner, "deaf");
});
