import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { echo, type Service } from "../relay/peer.ts";
import { commandOf, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

/** An executable has its permissions for good. */
const NO_SOURCE = Deno.env.has("EXECUTABLES") ? "the permissions are baked in" : null;

/** Why a proxy does not choose the epoll relay here. */
const otherRelay = Deno.env.has("RELAY") ? "RELAY is set" : whyNoEpoll();

/** A proxy that may not call the C library. */
function withoutFfi(service: Service, directory: string, ...args: string[]): Running {
  return new Running([
    ...commandOf("proxy").filter((word) => word !== "--allow-ffi"),
    "127.0.0.1:0",
    formatAddress(service.address),
    "--log-format=json",
    "--runtime-dir",
    directory,
    ...args,
  ]);
}

testWith(
  otherRelay,
  "the epoll relay is what a proxy works with, with the threads it was given",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { args: ["--threads", "2"] });
    using _client = await proxy.served();
    const { relay, threads } = await proxy.status();
    assert.deepEqual([relay, threads], ["epoll", 2]);
    const listen = await proxy.logged("listen");
    assert.deepEqual([listen["relay"], listen["threads"]], ["epoll", 2]);
    assert.match(
      `${listen["message"]}`,
      /, open; epoll relay with 2 threads, at most \d+ connections$/,
    );
  },
);

testWith(otherRelay, "--threads auto is one for each processor", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--threads", "auto"] });
  assert.equal((await proxy.status()).threads, navigator.hardwareConcurrency);
});

Deno.test("the portable relay has one thread, and says so", async () => {
  await using service = await echo();
  const args = ["--relay", "portable", "--threads", "auto", "--max-connections", "7"];
  await using proxy = await Proxy.start(service.address, { args });
  using _client = await proxy.served();
  const { relay, threads } = await proxy.status();
  assert.deepEqual([relay, threads], ["portable", 1]);
  const [first] = proxy.log();
  assert.match(`${first?.["message"]}`, /, open; portable relay, at most 7 connections$/);
  assert.equal(first?.["maxConnections"], 7);
});

Deno.test("a portable relay says that it cannot set --tcp-user-timeout, in one line", async () => {
  await using service = await echo();
  const args = ["--relay", "portable", "--tcp-user-timeout", "30s", "--tcp-keepalive", "none"];
  await using proxy = await Proxy.start(service.address, { args });
  const [first] = proxy.log();
  assert.deepEqual([first?.["event"], first?.["level"]], ["no_user_timeout", "WARN"]);
  using _client = await proxy.served();
});

testWith(
  NO_SOURCE,
  "without the permission for the C library it falls back, and says why in one line",
  async () => {
    await using service = await echo();
    await using temporary = await TemporaryDirectory.make();
    await using proxy = withoutFfi(service, `${temporary.path}/proxy`, "--threads", "4");
    await proxy.heard(/"event":"listen".*"relay":"portable","threads":1/);
    const [line, ...more] = proxy.stderr.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    assert.deepEqual([line.event, line.level, more.length], ["no_epoll", "WARN", 1]);
    assert.match(line.message, /^The epoll relay cannot run here: .*; using the portable relay/);
  },
);

testWith(
  NO_SOURCE,
  "--relay epoll where it cannot run is one line with the reason, exit code 1, and nothing is left",
  async () => {
    await using service = await echo();
    await using temporary = await TemporaryDirectory.make();
    await using proxy = withoutFfi(service, `${temporary.path}/proxy`, "--relay", "epoll");
    const { code, stderr } = await proxy.finished();
    assert.match(stderr, /^disnix-tcp-proxy: The epoll relay cannot run here: [^\n]+\n$/);
    assert.equal(code, 1);
    assert.deepEqual([...Deno.readDirSync(temporary.path)], []);
  },
);
