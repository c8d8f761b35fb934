/**
 * The proxy on the other processor, as qemu plays it: all that the epoll relay hands to the C library has
 * the right layout there.
 *
 * qemu 7.2 has no SO_COOKIE and hardly any TCP_INFO, so how many wait in the kernel's queue is not known
 * here. All that a takeover needs it has (SCM_RIGHTS, SO_PEERCRED, SO_PEERPIDFD), but not always the
 * time: it is slow, and neither process waits longer than 5 s for the other.
 */

import assert from "node:assert/strict";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { echo, Peer } from "../relay/peer.ts";
import { controlRequest } from "../support/control_request.ts";
import { isLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

/** Where Debian has the libraries of the other processor (libc6-arm64-cross, libgcc-s1-arm64-cross). */
const LIBRARIES = "/usr/aarch64-linux-gnu";

const CACHE = new URL("../../dist/tests/aarch64/", import.meta.url).pathname;

/** How many connections there are. */
const CONNECTIONS = 20;

/** How often it is tried to take over: what was too slow has changed nothing, and was compiled. */
const TRIES = 5;

const deno = Deno.env.get("DENO_ARM64");
const no = !isLong
  ? "only with LONG"
  : deno === undefined
  ? "no Deno for it: DENO_ARM64 is not set"
  : without("qemu-aarch64-static") ?? noLibraries();

function noLibraries(): string | null {
  try {
    Deno.statSync(`${LIBRARIES}/lib/ld-linux-aarch64.so.1`);
    return null;
  } catch {
    return `no ${LIBRARIES}/lib/ld-linux-aarch64.so.1`;
  }
}

function start(args: readonly string[]): Running {
  const { permissions, script } = PROGRAMS.proxy;
  const program = new URL(`../../${script}`, import.meta.url).pathname;
  const command = ["qemu-aarch64-static", "-L", LIBRARIES, deno ?? ""];
  const words = [...command, "run", "--quiet", "--no-check", ...permissions, program, ...args];
  // What V8 has compiled for that processor is none for this one.
  return new Running(words, { env: { DENO_DIR: CACHE } });
}

/** Has a process take over from the one that runs. @throws when none of several has */
async function takeOver(args: readonly string[]): Promise<Running> {
  for (let time = 1;; time++) {
    const next = start([...args, "--takeover=always"]);
    try {
      await next.heard(/"event":"taken_over"/);
      return next;
    } catch (error) {
      await next[Symbol.asyncDispose]();
      if (time === TRIES) throw error;
    }
  }
}

testWith(
  no,
  `on aarch64 the epoll relay carries ${CONNECTIONS} connections, which a second process takes over, ` +
    "is drained, holds and resumes",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using service = await echo();
    const place = ["--runtime-dir", `${temporary.path}/proxy`, "--log-format=json"];
    const socket = `${temporary.path}/proxy/control.sock`;
    const upstream = `127.0.0.1:${service.address.port}`;
    await using first = start([...place, "127.0.0.1:0", upstream]);
    const [, port] = await first.heard(/"listen":"[^"]*:(\d+)".*"relay":"epoll"/);
    const address = { host: "127.0.0.1", port: Number(port) };
    await using stack = new AsyncDisposableStack();
    const clients: Peer[] = [];
    for (let number = 0; number < CONNECTIONS; number++) {
      clients.push(stack.use(await Peer.connect(address)));
    }
    const ask = (words: string) =>
      Promise.all(clients.map(async (client) => {
        await client.send(words);
        assert.equal(await client.read(words.length), words);
      }));
    await ask("hello");

    await using proxy = await takeOver([...place, `127.0.0.1:${port}`, upstream]);
    await ask("again");
    assert.equal((await first.finished()).code, 0);

    const drain = controlRequest(socket, "POST", "/v1/drain", JSON.stringify({ owner: "me" }));
    await proxy.heard(/"event":"drain/);
    using held = await Peer.connect(address);
    await held.send("held");
    for (const client of clients) client.finish();
    assert.match((await drain).text, /"outcome":"drained"/);
    const status = JSON.parse((await controlRequest(socket, "GET", "/v1/status")).text);
    assert.deepEqual([status.state, status.active], ["drained", 0]);
    const resumed = await controlRequest(socket, "POST", "/v1/resume", '{"owner":"me"}');
    assert.equal(resumed.status, 200, resumed.text);
    assert.equal(await held.read(4), "held");
    proxy.kill("SIGTERM");
    held.finish();
    assert.equal((await proxy.finished()).code, 0);
  },
);
