import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { without } from "../support/tools.ts";

Deno.test("drain --release", async (t) => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using temporary = await TemporaryDirectory.make();
  const resume = () => proxy.resume();
  const drain = (release: string, ...args: string[]) =>
    proxy.startCtl(["drain", "--owner", "me", "--release", release, ...args]);

  await t.step("runs it once that new ones are held, and then waits for the rest", async () => {
    using client = await proxy.served();
    const ran = `${temporary.path}/ran`;
    await using running = drain(`cat; echo ran; echo "$0" >>${ran}`);
    await running.heard(/ran\n/);
    assert.equal((await proxy.status()).state, "draining");
    using held = await proxy.connect();
    await held.send("hello");
    await proxy.until(({ queued }) => queued === 1);
    client.finish();
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stdout.replace(/\S+\n$/, "")], [0, "Drained after "], stderr);
    assert.equal((await Deno.readTextFile(ran)).split("\n").length, 2, "it ran once");
    await resume();
    assert.equal(await held.read(5), "hello");
    held.finish();
  });

  await t.step("waits for it also where nobody is connected, or the proxy is drained", async () => {
    await proxy.until(({ active }) => active === 0);
    for (const said of ["Drained after", "Already drained"]) {
      const { code, stdout, stderr } = await proxy.ctl([
        ...["drain", "--owner", "me", "--release", "sleep 0.1; echo ran"],
      ]);
      assert.deepEqual([code, stdout.startsWith(said), /^ran$/m.test(stderr)], [0, true, true]);
    }
    await resume();
  });

  await t.step("cancels the drain where it fails, and says how", async () => {
    using _client = await proxy.served();
    for (
      const [script, says] of [
        ["exit 3", "failed with exit code 3"],
        ["kill -KILL $$", "was ended by SIGKILL"],
        ["no-such-command-here", "failed with exit code 127"],
      ] as const
    ) {
      const { code, stdout, stderr } = await drain(script).finished();
      assert.deepEqual([code, stdout], [1, ""]);
      const message = `proxyctl: The release command ${says}. The drain was cancelled: Resumed; `;
      assert.ok(stderr.includes(message), stderr);
      assert.equal((await proxy.status()).state, "open");
    }
    await proxy.drain({ closeIdle: "0s" });
    const { code } = await proxy.ctl(["drain", "--owner", "me", "--release", "exit 3"]);
    assert.equal(code, 1, "one that was drained before");
    assert.equal((await proxy.status()).state, "open");
  });

  await t.step("has until the deadline, and is then asked to end", async () => {
    const script = "trap 'echo asked; exit' TERM; while :; do sleep 0.05; done";
    const { code, stderr } = await drain(script, "--timeout", "500ms").finished();
    assert.equal(code, 4);
    assert.match(stderr, /^asked$/m);
    assert.equal((await proxy.status()).state, "open");
  });

  await t.step("is asked to end by a Ctrl-C, which cancels the drain as ever", async () => {
    await using running = drain(
      "trap 'echo asked; exit' TERM; echo began; while :; do sleep 0.05; done",
    );
    await running.heard(/began/);
    running.kill("SIGINT");
    const { signal, stderr } = await running.finished();
    assert.equal(signal, "SIGINT", stderr);
    assert.match(stderr, /^asked$/m);
    assert.match(stderr, /^proxyctl: Cancelled: open again, /m);
    assert.equal((await proxy.status()).state, "open");
  });

  await t.step("cuts what is left at the deadline, once it has succeeded", async () => {
    using client = await proxy.served();
    const { code, stdout } = await drain("true", "--timeout", "500ms").finished();
    assert.equal(code, 0);
    assert.match(stdout, /^Drained after \S+; 1 connection was cut\n$/);
    assert.equal(await client.ending, "reset");
    await resume();
  });

  await t.step("waits for the proxy's quiet time before it runs", async () => {
    using client = await proxy.served();
    await using running = drain("echo ran", "--suspend-quiet", "300ms", "--close-remaining");
    await running.heard(/ran/);
    const { since } = await proxy.status();
    assert.ok(Date.now() - Date.parse(since ?? "") >= 300);
    client.finish();
    assert.equal((await running.finished()).code, 0);
    await resume();
  });

  await t.step("lets go of who asks without a pause before it runs", async () => {
    using client = await proxy.served();
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        await client.send("x");
        await client.read(1);
      }
    })();
    await using running = drain("echo ran", "--suspend-quiet", "200ms");
    await running.heard(/ran/);
    assert.equal((await proxy.status()).suspended, 1);
    isOver = true;
    assert.equal((await running.finished()).code, 0);
    await resume();
    await asking;
    client.finish();
  });

  await t.step("begins when half of the time is over, however long nobody is quiet", async () => {
    using client = await proxy.served();
    const args = ["--suspend-quiet", "1h", "--timeout", "2s"];
    const { code, stdout, stderr } = await drain("echo ran", ...args).finished();
    assert.deepEqual([code, stderr.includes("ran\n")], [0, true], stderr);
    assert.match(stdout, /^Drained after \S+; 1 connection was cut\n$/);
    assert.equal(await client.ending, "reset");
    await resume();
  });

  await t.step("does not wait for suspended clients to stop leaving", async () => {
    using tied = await proxy.connect();
    await tied.send("\x16\x03");
    await tied.read(2);
    const quiet = await Promise.all(Array.from({ length: 100 }, () => proxy.served()));
    await using running = drain("echo ran", "--suspend-quiet", "100ms");
    await proxy.until(({ suspended }) => suspended === quiet.length);
    const leaving = setInterval(() => quiet.pop()?.finish(), 20);
    try {
      await running.heard(/ran/);
      assert.notEqual(quiet.length, 0, "it waited until the last had left");
    } finally {
      clearInterval(leaving);
      for (const one of [tied, ...quiet]) one.finish();
    }
    assert.equal((await running.finished()).code, 0);
    await resume();
  });

  await t.step("cannot be had with --no-wait", async () => {
    const { code, stderr } = await proxy.ctl(["drain", "--no-wait", "--release", "true"]);
    assert.equal(code, 2);
    assert.match(stderr, /--release cannot be used with --no-wait/);
  });

  const noCurl = without("curl");
  await t.step({
    name: "runs once for several proxies, when all of them hold, and is cancelled at all" +
      (noCurl === null ? "" : ` (ignored: ${noCurl})`),
    ignore: noCurl !== null,
    async fn() {
      await using other = await Proxy.start(service.address);
      const both = ["--runtime-dir", other.directory, "drain", "--owner", "me", "--release"];
      const ran = `${temporary.path}/ran-for-both`;
      const look = [proxy, other].map(({ controlSocket }) =>
        `curl -s --unix-socket ${controlSocket} http://proxy/v1/status`
      );
      const { code, stderr } = await proxy.ctl([...both, `{ ${look.join("; ")}; echo; } >>${ran}`]);
      assert.equal(code, 0, stderr);
      const [line = "", ...more] = (await Deno.readTextFile(ran)).trimEnd().split("\n");
      assert.deepEqual(more, []);
      assert.equal(line.split('"state":"draining"').length, 3, line);
      const failed = await proxy.ctl([...both, "exit 3"]);
      assert.equal(failed.code, 1);
      for (const one of [proxy, other]) assert.equal((await one.status()).state, "open");
    },
  });

  await t.step("is before the command of with-drain", async () => {
    const { code, stdout, stderr } = await proxy.ctl([
      ...["with-drain", "--release", "echo released"],
      ...["--", "echo", "upgraded"],
    ]);
    assert.deepEqual([code, stdout], [0, "upgraded\n"], stderr);
    assert.match(stderr, /released\n(?:.*\n)*Drained after .*, running echo upgraded\n/);
    const failed = await proxy.ctl(["with-drain", "--release", "exit 3", "--", "echo", "upgraded"]);
    assert.deepEqual([failed.code, failed.stdout], [1, ""]);
    assert.equal((await proxy.status()).state, "open");
  });
});
