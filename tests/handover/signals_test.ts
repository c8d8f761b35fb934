import assert from "node:assert/strict";
import { echo, Peer, type Service } from "../relay/peer.ts";
import { listeningPorts } from "../support/listening.ts";
import { executables, whyNoExecutables } from "../support/executables.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, Running, type StartOptions } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Stage } from "../keeper/stage.ts";
import { upgradable, upgrade } from "./upgradable.ts";
import { whyNoTakeover } from "./why_not.ts";

const PROGRAMS = {
  "from source": { whyNot: null, options: (): Promise<StartOptions> => Promise.resolve({}) },
  "compiled": {
    whyNot: onlyForLong ?? whyNoExecutables,
    options: async (): Promise<StartOptions> => ({ executables: await executables() }),
  },
};

async function assertServed(peer: Peer): Promise<void> {
  await peer.send("yo");
  assert.equal(await peer.read(2), "yo");
}

/** Waits until another process than this one answers. @returns its pid */
async function successorOf(proxy: Proxy, predecessor: number): Promise<number> {
  // In between the answer is that it has moved.
  const { pid } = await proxy.until(({ pid }) => Number.isInteger(pid) && pid !== predecessor);
  return pid;
}

/** Sends signals; when this returns the proxy has heard all of them. */
async function send(proxy: Proxy, ...signals: Deno.Signal[]): Promise<void> {
  for (const signal of signals) proxy.process.kill(signal);
  // Of those that are there it hears the one with the lowest number first.
  const before = proxy.log("signal").filter(({ signal }) => signal === "SIGUSR2").length;
  proxy.process.kill("SIGUSR2");
  await until(
    () => Promise.resolve(proxy.log("signal").filter(({ signal }) => signal === "SIGUSR2").length),
    (count) => count > before,
  );
}

/** Waits until a process is so old that Deno's debugger would hear SIGUSR1: from half a second on. */
async function untilDebuggable(pid: number): Promise<void> {
  await until(async () => {
    const [uptime = ""] = (await Deno.readTextFile("/proc/uptime")).split(" ");
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    // In hundredths of a second, behind the name in brackets, which is the second field (proc(5)).
    const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3]) / 100;
    return Number(uptime) - started;
  }, (seconds) => seconds > 1);
}

for (const [from, { whyNot, options }] of Object.entries(PROGRAMS)) {
  testWith(
    whyNoTakeover ?? whyNot,
    `${from}: SIGHUP has a new process take over, under a live connection`,
    async () => {
      await using service = await echo();
      await using stage = await upgradable(service, await options());
      const { proxy } = stage;
      using client = await proxy.served();
      proxy.process.kill("SIGHUP");
      await proxy.logged("handed_over");
      const pid = await successorOf(proxy, proxy.process.pid);
      await assertServed(client);
      // The next one has no terminal either.
      Deno.kill(pid, "SIGHUP");
      await proxy.logged("handed_over", 2);
      await successorOf(proxy, pid);
      await assertServed(client);
      assert.equal(proxy.log("signal")[0]?.["signal"], "SIGHUP");
    },
  );

  testWith(
    onlyForLong ?? whyNoTakeover ?? whyNot ?? without("nohup"),
    `${from}: started by nohup it ignores SIGHUP, and so does its successor`,
    async () => {
      await using service = await echo();
      await using stage = await upgradable(service, { ...await options(), through: ["nohup"] });
      const { proxy } = stage;
      using client = await proxy.served();
      await send(proxy, "SIGHUP");
      assert.equal((await proxy.status()).pid, proxy.process.pid);
      await upgrade(proxy);
      const { pid } = await proxy.status();
      Deno.kill(pid, "SIGHUP");
      Deno.kill(pid, "SIGUSR2");
      await proxy.logged("signal", 2);
      assert.equal((await proxy.status()).pid, pid);
      await assertServed(client);
      assert.deepEqual(proxy.log("signal").map(({ signal }) => signal), ["SIGUSR2", "SIGUSR2"]);
    },
  );

  testWith(
    whyNoTakeover ?? whyNot,
    `${from}: SIGUSR1 and SIGUSR2 do nothing to a proxy or a keeper, and open no debugger`,
    async () => {
      await using stage = await Stage.set(await options());
      const { proxy } = stage;
      using client = await proxy.served();
      await untilDebuggable(proxy.process.pid);
      await send(proxy, "SIGUSR1");
      await assertServed(client);
      assert.deepEqual(await listeningPorts(proxy.process.pid), [proxy.address.port]);
      client.finish();
      assert.equal(await client.rest(), "");
      await stage.drain();
      const { keeper } = await stage.park();
      using waiting = await stage.client();
      await stage.stop();
      await untilDebuggable(keeper);
      for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) Deno.kill(keeper, signal);
      const { pid, queued } = await proxy.status();
      assert.deepEqual([pid, queued], [keeper, 1]);
      assert.deepEqual(await listeningPorts(keeper), [proxy.address.port]);
      const next = await stage.next(await options());
      await stage.resume(next);
      assert.equal(await waiting.read(2), "hi");
    },
  );
}

testWith(
  onlyForLong ?? whyNoTakeover,
  "SIGQUIT ends a keeper as SIGTERM does: its log says so",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    await stage.stop();
    Deno.kill(keeper, "SIGQUIT");
    await stage.logged(/Ended: stopped\n$/);
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "SIGHUP to one that is parked changes nothing but the log",
  async () => {
    await using stage = await Stage.set();
    const { proxy } = stage;
    await stage.drain();
    await stage.park();
    await send(proxy, "SIGHUP");
    assert.match(`${(await proxy.logged("not_upgraded"))["message"]}`, /^Not upgraded: .*parked/);
    assert.equal((await proxy.status()).state, "parked");
  },
);

Deno.test("SIGHUP to a portable relay, which cannot be upgraded, changes nothing but the log", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--relay=portable"] });
  using client = await proxy.served();
  await send(proxy, "SIGHUP");
  assert.match(`${(await proxy.logged("not_upgraded"))["message"]}`, /^Not upgraded: The portable/);
  await assertServed(client);
  assert.equal((await proxy.status()).pid, proxy.process.pid);
});

/** A proxy on a terminal that can be taken away. */
async function onTerminal(service: Service, directory: string) {
  const log = `${directory}/log`;
  const { host, port } = service.address;
  const command = [
    ...commandOf("proxy"),
    ...["--runtime-dir", `${directory}/proxy`, "--log-format=json", "127.0.0.1:0"],
    `${host}:${port}`,
  ].map((word) => `'${word}'`).join(" ");
  const terminal = new Running(["script", "-qec", `exec ${command} 2> ${log}`, "/dev/null"]);
  const read = () => Deno.readTextFile(log).catch(() => "");
  const text = await until(read, (text) => text.includes(`"event":"listen"`));
  const { listen } = JSON.parse(text.split("\n")[0] ?? "");
  const client = await Peer.connect({ host: "127.0.0.1", port: Number(listen.split(":")[1]) });
  return { terminal, client, read };
}

testWith(
  whyNoTakeover ?? without("script"),
  "when its terminal is gone it stops as by SIGTERM",
  async () => {
    await using service = await echo();
    await using temporary = await TemporaryDirectory.make();
    const { terminal, client, read } = await onTerminal(service, temporary.path);
    await using _terminal = terminal;
    using _client = client;
    await assertServed(client);
    terminal.kill("SIGKILL");
    const text = await until(read, (text) => text.includes(`"event":"stop"`));
    assert.doesNotMatch(text, /"event":"signal"/);
    await assertServed(client);
    client.finish();
    assert.equal(await client.rest(), "");
    await until(read, (text) => text.includes(`"event":"stopped"`));
  },
);
