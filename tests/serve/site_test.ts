import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { basename } from "node:path";
import { jsonAnswer } from "../../lib/control/http/messages.ts";
import { HttpServer } from "../../lib/control/http/server.ts";
import { EVERY } from "../../lib/serve/watched.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { ask, askRaw, Stream } from "./ask.ts";
import { site } from "./site.ts";

const EVIL = `<script>alert(1)</script>"'&`;

Deno.test("what proxies are doing is served to those who look", async (t) => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using served = await site([proxy.directory]);
  const { address } = served;
  const listen = `127.0.0.1:${proxy.address.port}`;

  await t.step("with the figures of now, for those without scripts too", async () => {
    using _client = await proxy.served();
    // A proxy that is slow to answer, on a busy machine, is not waited for.
    const all = await until(() => ask(address, "/"), ({ body }) => body.includes(">1</"));
    assert.equal(all.status, 200);
    assert.match(all.body, new RegExp(`<a id="to-proxy" href="/proxy/proxy">${listen}</a>`));
    assert.match(all.body, /data-head="Active" class="number">1</);
    const one = await until(
      () => ask(address, "/proxy/proxy?sort=idle"),
      ({ body }) => body.includes(_client.name),
    );
    assert.match(one.body, /badge open/);
  });

  await t.step("all at once: the first paint waits for nothing else", async () => {
    const { headers, body } = await ask(address, "/proxy/proxy");
    assert.deepEqual(
      body.match(/<(?:link rel="stylesheet"|script(?! type="module"))[^>]*>/g),
      null,
    );
    const [, style = ""] = /<style>([^]*?)<\/style>/.exec(body) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    assert.ok(headers.includes(`style-src 'sha256-${hash}';`), headers);
  });

  await t.step("as JSON and as metrics, each with where it listens", async () => {
    const { proxies } = JSON.parse((await ask(address, "/v1/proxies")).body);
    assert.deepEqual(
      proxies.map(({ up, status }: { up: boolean; status: { pid: number } }) => [up, status.pid]),
      [[true, (await proxy.status()).pid]],
    );
    const { body } = await ask(address, "/metrics");
    assert.match(body, new RegExp(`^disnix_tcp_proxy_up{listen="${listen}"} 1$`, "m"));
    assert.match(
      body,
      new RegExp(`^disnix_tcp_proxy_held_seconds_bucket{listen="${listen}",le=`, "m"),
    );
    assert.equal((await ask(address, "/healthz")).body, "ok\n");
  });

  await t.step("as text, whatever strangers wrote", async () => {
    using stream = new Stream(address, "/proxy/proxy/events");
    await stream.part("state", /open/);
    await proxy.drain({ reason: EVIL, owner: EVIL });
    const { data } = await stream.part("drain", /Drained/);
    const pages = await Promise.all(["/", "/proxy/proxy"].map((path) => ask(address, path)));
    for (const text of [data.html, ...pages.map(({ body }) => body)]) {
      assert.doesNotMatch(text, /<script>/);
      assert.match(text, /&lt;script&gt;alert\(1\)&lt;\/script&gt;&quot;&#39;&amp;/);
    }
    await proxy.resume({ owner: EVIL });
    await stream.part("drain", /Resumed/);
    await stream.part("history", /&lt;script&gt;/);
  });

  await t.step("from where they were, to those who come back", async () => {
    using stream = new Stream(address, "/proxy/proxy/events");
    const { id, data } = await stream.until(({ event }) => event === "samples");
    assert.ok(data.length >= 1);
    using again = new Stream(address, "/proxy/proxy/events", { "last-event-id": id });
    const more = await again.until(({ event }) => event === "samples");
    assert.ok(more.data[0].number > data.at(-1).number);
    using other = new Stream(address, "/proxy/proxy/events", { "last-event-id": "abc-99" });
    const all = await other.until(({ event }) => event === "samples");
    assert.equal(all.data[0].number, 1);
  });

  await t.step("and nothing can be changed, and nobody else's pages can ask", async () => {
    for (
      const [expected, head] of [
        [421, "GET / HTTP/1.1\r\nHost: evil.example"],
        [400, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"],
        [421, "GET / HTTP/1.1"],
        [405, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0"],
        [405, "DELETE /v1/proxies HTTP/1.1\r\nHost: localhost"],
        [200, "HEAD / HTTP/1.1\r\nHost: localhost"],
        [404, "GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost"],
        [404, "GET /assets/%2e%2e/%2e%2e/deno.json HTTP/1.1\r\nHost: localhost"],
        [404, "GET /proxy/..%2f..%2fetc HTTP/1.1\r\nHost: localhost"],
        [404, "GET /proxy/%ff HTTP/1.1\r\nHost: localhost"],
        [400, "nonsense"],
      ] as const
    ) {
      const { status, headers, body } = await askRaw(address, head);
      assert.equal(status, expected, head);
      assert.match(headers, /^content-security-policy: default-src 'none'; script-src 'self'/m);
      assert.match(headers, /^x-content-type-options: nosniff$/m);
      assert.doesNotMatch(headers, /unsafe|access-control/);
      if (expected === 200) assert.equal(body, "");
      else assert.doesNotMatch(body, /root:|imports/);
    }
  });

  await t.step("whoever else keeps connections open without a word", async () => {
    const silent: Socket[] = [];
    try {
      for (let count = 0; count < 100; count++) {
        const socket = connect(address.port, "127.0.0.1").on("error", () => {});
        socket.write("GET / HTTP/1.1\r\nHost: local");
        silent.push(socket);
      }
      assert.equal((await ask(address, "/healthz")).status, 200);
    } finally {
      for (const socket of silent) socket.destroy();
    }
  });

  await t.step("also that it is gone, and that another one is there", async () => {
    using stream = new Stream(address, "/proxy/proxy/events");
    await stream.part("state", /open/);
    const { pid } = await proxy.status();
    Deno.kill(pid, "SIGSTOP");
    assert.match((await ask(address, "/metrics")).body, /^disnix_tcp_proxy_up\{.*\} 0$/m);
    assert.match((await ask(address, "/proxy/proxy")).body, /did not answer within/);
    Deno.kill(pid, "SIGCONT");
    await stream.part("state", /badge away/);
    await stream.part("state", /badge open/);
    await proxy.crash();
    await stream.part("state", /badge away/);
    assert.match((await ask(address, "/metrics")).body, /^disnix_tcp_proxy_up\{.*\} 0$/m);
    await using _next = await Proxy.start(service.address, { directory: proxy.directory });
    await stream.part("state", /badge open/);
  });
});

Deno.test("a proxy is asked once for all who look, and not at all when nobody does", async () => {
  await using temporary = await TemporaryDirectory.make();
  const listener = Deno.listen({ transport: "unix", path: `${temporary.path}/control.sock` });
  let asked = 0;
  const status = { state: "open", listen: "127.0.0.1:1", upstream: EVIL, owner: { is: "none" } };
  const server = new HttpServer(listener, ({ path }) => {
    if (path === "/v1/status") asked++;
    return Promise.resolve(jsonAnswer(path === "/v1/history" ? { drains: [] } : status));
  });
  const path = `/proxy/${basename(temporary.path)}/events`;
  await using served = await site([temporary.path]);
  // What is not understood of it hurts nobody.
  const { body } = await ask(served.address, "/");
  assert.match(body, /1 proxy: 1 open/);
  assert.doesNotMatch(body, /<script>alert/);
  {
    using one = new Stream(served.address, path);
    using other = new Stream(served.address, path);
    for (const stream of [one, other]) {
      const { data } = await stream.until(({ data }) => data[0]?.number >= 3);
      assert.ok(asked >= 3 && asked <= data[0].number + 1, `${asked}`);
    }
  }
  // So long that they would have been asked twice.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = asked;
  await new Promise((resolve) => setTimeout(resolve, 2 * EVERY));
  assert.equal(asked, before);
  await server.close();
});

Deno.test("with a password only those see something who have it", async () => {
  await using temporary = await TemporaryDirectory.make();
  const passwordFile = `${temporary.path}/password`;
  const write = async (text: string, mode = 0o600) => {
    await Deno.writeTextFile(passwordFile, text);
    await Deno.chmod(passwordFile, mode);
  };
  for (
    const [text, mode] of [["a:b\n", 0o644], ["a:b\n", 0o640], ["", 0o600], [
      "ab\n",
      0o600,
    ]] as const
  ) {
    await write(text, mode);
    await assert.rejects(site([], { passwordFile }), /password file .*(?:mode 06|one line)/);
  }
  await Deno.symlink(passwordFile, `${temporary.path}/link`);
  await assert.rejects(
    site([], { passwordFile: `${temporary.path}/link` }),
    /password file .*(?:mode|no|regular)/,
  );
  await write("ann:with: a colon\n");
  await using served = await site([], { passwordFile });
  const { address } = served;
  const basic = (text: string) => `Authorization: Basic ${btoa(text)}`;
  for (const path of ["/", "/metrics", "/events", "/v1/proxies", "/proxy/x", "/nowhere"]) {
    const { status, headers } = await ask(address, path);
    assert.equal(status, 401, path);
    assert.match(headers, /^www-authenticate: Basic realm=/m);
    for (
      const wrong of ["", "ann:", "ann:with: a colo", "ann:with: a colon ", "bob:with: a colon"]
    ) {
      assert.equal((await ask(address, path, basic(wrong))).status, 401, wrong);
    }
  }
  assert.equal((await ask(address, "/", basic("ann:with: a colon"))).status, 200);
  assert.equal((await ask(address, "/healthz")).status, 200);
});

testWith(
  Deno.uid() === 0 ? null : "not root",
  "proxies of other users are shown only with a password",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    {
      await using served = await site([proxy.directory]);
      using stream = new Stream(served.address, "/proxy/proxy/events");
      using client = await proxy.served();
      await stream.part("list", new RegExp(client.name));
      await Deno.chown(proxy.directory, 65534, 65534);
      await stream.part("list", /cannot be listed/);
    }
    await assert.rejects(site([proxy.directory]), /is another user's.*--password-file/);
    const find = () => Promise.resolve([proxy.directory]);
    {
      await using served = await site([], { named: null, find });
      const { body } = await ask(served.address, "/");
      assert.match(body, /No proxy runs/);
      assert.match(body, /1 more is/);
      assert.equal((await ask(served.address, "/proxy/proxy")).status, 404);
      assert.doesNotMatch((await ask(served.address, "/metrics")).body, /_up\{/);
    }
    const passwordFile = `${temporary.path}/password`;
    await Deno.writeTextFile(passwordFile, "a:b", { mode: 0o600 });
    await using served = await site([], { named: null, find, passwordFile });
    const { body } = await ask(served.address, "/", `Authorization: Basic ${btoa("a:b")}`);
    assert.match(body, /1 proxy: 1 open/);
  },
);
