/** The archive on a Debian that has what minbase has, and zstd, for a user who is not root. */

import assert from "node:assert/strict";
import { basename } from "node:path";
import type { Status } from "../../lib/control/api.ts";
import { packArchive } from "../../lib/packaging/archive.ts";
import { Peer } from "../relay/peer.ts";
import { freePort } from "../support/free_port.ts";
import { whyNoExecutables } from "../support/executables.ts";
import { isLong } from "../support/long.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { releasedContent } from "./content.ts";
import { whyNoDebian } from "./debian_machine.ts";
import { UserSession } from "./user_session.ts";

const no = isLong ? whyNoExecutables ?? without("zstd", "tar") ?? whyNoDebian() : "only with LONG";

/** A client of the example's server. */
async function hello(peer: Peer, greeting: string): Promise<void> {
  await peer.send("hello\n");
  assert.equal(await peer.read(greeting.length + 2), `${greeting}\r\n`);
}

async function quit(peer: Peer): Promise<void> {
  await peer.send("quit\n");
  assert.equal(await peer.rest(), "");
  peer.finish();
}

testWith(
  no,
  "from the archive another user than root upgrades a service and the proxy, and no client is lost",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o755);
    const content = { ...await releasedContent(temporary.path), version: "1.0.0" };
    const archive = basename(await packArchive(content, temporary.path, ["-1"]));
    const name = archive.replace(/\.tar\.zst$/, "");
    await using session = await UserSession.start(temporary.path);
    const run = (command: string) => session.run(command);
    const status = async (): Promise<Status> => JSON.parse(await run("proxyctl status --json"));
    const [first, second, port] = [freePort(), freePort(), freePort()];
    /** Until the program that was started last has written that. */
    const written = (words: string, file: string) =>
      run(
        `until grep -q '${words}' ${file}; do kill -0 $! && sleep 0.1 || break; done; cat ${file}`,
      )
        .then((text) => assert.match(text, new RegExp(words)));
    const startServer = async (port: number, greeting: string) => {
      await run(`hello-world-server 127.0.0.1:${port} --greeting ${greeting} 2>${greeting}.log &`);
      await written("Listening", `${greeting}.log`);
    };
    const startProxy = async (log: string, upstream: number) => {
      await run(`disnix-tcp-proxy 127.0.0.1:${port} 127.0.0.1:${upstream} 2>${log} & proxy=$!`);
      await written("Listening on", log);
    };
    const connect = () => Peer.connect({ host: "127.0.0.1", port });

    await run(`zstd -qd </packages/${archive} | tar -x`);
    assert.match(await run(`cat ${name}/README`), /proxyctl drain, resume, status, upgrade/);
    await run("mkdir work && cd work && mkdir -m 700 run");
    await run(`export PATH=$HOME/${name}/bin:$PATH XDG_RUNTIME_DIR=$PWD/run TMPDIR=$PWD`);
    await startServer(first, "v1");
    await startProxy("proxy.log", first);
    await run("mkfifo in && exec 3<>in");
    await run(`hello-world-client 127.0.0.1:${port} <in >out & client=$!`);
    const asks = async (greeting: string, times: number) => {
      await run("echo hello >in");
      const answers = () => run(`grep -c ${greeting} out || true`);
      await until(answers, (seen) => Number(seen) === times);
    };
    await asks("v1", 1);
    using leaving = await connect();
    using staying = await connect();
    for (const peer of [leaving, staying]) await hello(peer, "v1");

    // As the README there says.
    const { pid } = await status();
    await run(`cp -r ~/${name}/bin ../new && mv ../new/* ~/${name}/bin/ && rmdir ../new`);
    await run("proxyctl upgrade");
    assert.notEqual((await status()).pid, pid);
    for (const peer of [leaving, staying]) await hello(peer, "v1");
    await asks("v1", 2);

    // Who is waiting for an answer is not suspended.
    await leaving.send("hel");
    await run("proxyctl drain --suspend-quiet 200ms --timeout 2m >drain.log 2>&1 & drain=$!");
    await until(status, ({ state }) => state !== "open");
    using held = await connect();
    await held.send("hello\n");
    await leaving.send("lo\nquit\n");
    assert.equal(await leaving.rest(), "v1\r\n");
    leaving.finish();
    await run("wait $drain");
    await startServer(second, "v2");
    await run(`proxyctl retarget 127.0.0.1:${second}`);
    await run("proxyctl park");
    await run(`kill ${(await status()).pid}`);
    await until(() => run("proxyctl list"), (listed) => listed.includes("parked"));
    using late = await connect();
    await late.send("hello\n");
    await startProxy("next.log", second);
    await run("proxyctl resume --wait-upstream 10s");
    for (const peer of [held, late]) assert.equal(await peer.read(4), "v2\r\n");
    await hello(staying, "v2");
    await asks("v2", 1);

    for (const peer of [held, late, staying]) await quit(peer);
    await run("echo quit >in; wait $client");
    await run("kill $proxy; wait $proxy");
    // Nothing is written elsewhere.
    const mine = ["drain.log", "in", "next.log", "out", "proxy.log", "run", "v1.log", "v2.log"];
    assert.deepEqual((await run("ls -A")).split("\n").sort(), mine);
    assert.equal(await run("ls -A /tmp"), "");
    assert.equal(await run("ls ~"), `${name}\nwork`);
  },
);
