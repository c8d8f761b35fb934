import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo, unusedAddress } from "../relay/peer.ts";
import { controlRequest } from "../support/control_request.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, Running, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";

Deno.test("one line for each thing that happens, and for connections only with debug", async () => {
  await using service = await echo();
  for (const level of ["info", "debug"]) {
    await using proxy = await Proxy.start(service.address, { args: ["--log-level", level] });
    {
      using _client = await proxy.served();
    }
    await proxy.until(({ active }) => active === 0);
    const request = (path: string, body: object) => proxy.request("POST", path, body);
    const reason = "upgrade {now} } { }} {{";
    await request("/v1/drain", { owner: "me", reason });
    await request("/v1/drain", { owner: "you}" });
    await request("/v1/resume", { owner: "me" });
    proxy.process.kill("SIGTERM");
    await proxy.process.finished();
    const events = proxy.log().map(({ event }) => event);
    const connection = level === "debug" ? ["opened", "closed"] : [];
    const expected = ["listen", ...connection, "drain", "drained", "refused", "resume"];
    assert.deepEqual(events, [...expected, "stop", "stopped"]);
    const [drain] = proxy.log("drain");
    assert.deepEqual([drain?.["owner"], drain?.["reason"]], ["me", reason]);
    assert.equal(drain?.["message"], `Draining for "me": ${reason}; 0 active`);
    const [refused] = proxy.log("refused");
    assert.equal(refused?.["message"], 'Refused a drain for "you}": held by "me"');
  }
});

Deno.test("as text a line has its time, its level and what happened", async () => {
  await using service = await echo();
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  const upstream = formatAddress(service.address);
  const args = ["127.0.0.1:0", upstream, "--runtime-dir", directory, "--log-format=text"];
  await using proxy = start("proxy", args);
  await proxy.heard(/\n/);
  const time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z";
  assert.match(
    proxy.stderr,
    new RegExp(
      `^${time} \\[info\\] disnix-tcp-proxy: Listening on 127.0.0.1:\\d+, upstream ${upstream}, open; (epoll|portable) relay.*\n$`,
    ),
  );
});

Deno.test("an upstream that is gone is a handful of lines, however many clients come", async () => {
  await using proxy = await Proxy.start(await unusedAddress(), {
    args: ["--connect-timeout", "300ms", "--log-level", "info"],
  });
  const clients = await Promise.all(Array.from({ length: 100 }, () => proxy.connect()));
  for (const client of clients) assert.equal(await client.ending, "reset");
  await proxy.until(({ active }) => active === 0);
  proxy.process.kill("SIGTERM");
  await proxy.process.finished();
  const lines = proxy.log().slice(1);
  assert.ok(lines.length >= 3 && lines.length < 15, JSON.stringify(lines));
  const failed = proxy.log("connect_failed")[0]?.["message"];
  assert.match(`${failed}`, /^Failed to connect to the upstream 127\.0\.0\.1:\d+: .*refused/i);
  assert.match(`${proxy.log("gave_up")[0]?.["message"]}`, /^Reset a client: .* connect timeout/);
  assert.ok(lines.some(({ message }) => /\d+ more like this: /.test(`${message}`)));
});

for (const readLate of [false, true]) {
  const what = readLate ? " for a while is said to have lost lines; it" : "";
  testWith(
    readLate ? onlyForLong : null,
    `a log that nobody reads${what} stops neither clients, nor control, nor the end`,
    async () => {
      await using service = await echo();
      await using temporary = await TemporaryDirectory.make();
      const directory = `${temporary.path}/proxy`;
      const { host, port } = service.address;
      const free = await unusedAddress();
      const command = [...commandOf("proxy"), formatAddress(free), `${host}:${port}`];
      const child = new Deno.Command(command[0] ?? "", {
        args: [...command.slice(1), "--runtime-dir", directory, "--log-level=debug"],
        stdin: "null",
        stderr: "piped",
      }).spawn();
      const socket = `${directory}/control.sock`;
      const status = () =>
        controlRequest(socket, "GET", "/v1/status").then(
          ({ text }) => JSON.parse(text),
          () => null,
        );
      try {
        await until(status, (now) => now !== null);
        // Far more than a pipe takes, and than is kept for a reader.
        const body = { owner: "me", wait: false, reason: "x".repeat(1000) };
        for (let round = 0; round < (readLate ? 700 : 100); round++) {
          const { status } = await controlRequest(socket, "POST", "/v1/drain", body);
          assert.equal(status, 200);
        }
        await controlRequest(socket, "POST", "/v1/resume", { owner: "me" });
        const client = await Deno.connect({ port: free.port, hostname: free.host });
        await client.write(new Uint8Array(1));
        assert.equal(await client.read(new Uint8Array(1)), 1);
        client.close();
        if (readLate) {
          let heard = "";
          for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
            heard += text;
            if (/"event":"lost","lost":\d+}\n/.test(heard)) break;
          }
          const lines = heard.split("\n").slice(0, -1).map((line) => JSON.parse(line));
          const { message } = lines.find(({ event }) => event === "lost");
          assert.match(message, /^\d+ lines of the log were lost, because nobody read it$/);
        }
      } finally {
        child.kill("SIGTERM");
        assert.equal((await child.status).code, 0);
        if (!readLate) await child.stderr.cancel();
      }
    },
  );
}

Deno.test("a log that is closed or full stops nothing", async () => {
  await using service = await echo();
  for (const redirection of ["2>&-", "2>/dev/full"]) {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    const free = await unusedAddress();
    const command = commandOf("proxy");
    const words = [...command, formatAddress(free), formatAddress(service.address)];
    await using running = new Running([
      "sh",
      "-c",
      `exec "$@" ${redirection}`,
      "sh",
      ...words,
      "--runtime-dir",
      directory,
    ]);
    const ask = () =>
      controlRequest(`${directory}/control.sock`, "GET", "/healthz").catch(() => null);
    await until(ask, (answer) => answer?.status === 200);
    const client = await Deno.connect({ port: free.port, hostname: free.host });
    await client.write(new Uint8Array(1));
    assert.equal(await client.read(new Uint8Array(1)), 1);
    client.close();
    running.kill("SIGTERM");
    assert.equal((await running.finished()).code, 0);
  }
});
