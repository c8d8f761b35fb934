import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { formatAddress } from "../../lib/address.ts";
import type { Status } from "../../lib/control/api.ts";
import { echo, Peer } from "../relay/peer.ts";
import { controlRequest } from "../support/control_request.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, complete, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { isKeeper } from "./stage.ts";

/** What stops and starts a proxy. */
interface Manager extends AsyncDisposable {
  start(): Promise<void>;
  /** The proxy is gone when this resolves, or soon after. */
  stop(): Promise<void>;
}

async function run(...command: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command[0] ?? "", {
    args: command.slice(1),
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `${command.join(" ")}: ${said}`);
  return said;
}

/** @param settings more lines for the program */
async function supervisord(
  directory: string,
  command: readonly string[],
  settings = "startsecs=0",
): Promise<Manager & { pid(): Promise<number> }> {
  const config = `${directory}/supervisord.conf`;
  await Deno.writeTextFile(
    config,
    `[unix_http_server]
file=${directory}/supervisor.sock
[supervisord]
logfile=${directory}/supervisord.log
pidfile=${directory}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${directory}/supervisor.sock
[program:proxy]
command=${command.join(" ")}
autostart=false
stopasgroup=true
killasgroup=true
${settings}
`,
  );
  const daemon = new Running(["supervisord", "--nodaemon", "--configuration", config]);
  await daemon.heard(/supervisord started/, "stdout");
  const control = (verb: string) => run("supervisorctl", "--configuration", config, verb, "proxy");
  return {
    pid: async () => Number(await control("pid")),
    start: async () => void await control("start"),
    stop: async () => void await control("stop"),
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      await daemon.finished();
    },
  };
}

function daemon(directory: string, command: readonly string[]): Promise<Manager> {
  const options = ["--name=proxy", `--pidfiles=${directory}`];
  const isRunning = async () => {
    const { success } = await new Deno.Command("daemon", { args: [...options, "--running"] })
      .output();
    return success;
  };
  // It answers before it has ended what it runs, and removes its own record later still.
  const stop = async () => {
    if (await isRunning()) await run("daemon", ...options, "--stop");
    await until(isRunning, (now) => !now);
  };
  return Promise.resolve({
    start: async () => void await run("daemon", ...options, "--unsafe", "--", ...command),
    stop,
    [Symbol.asyncDispose]: stop,
  });
}

/** What is there says of itself; `null` if nobody answers. */
async function statusAt(directory: string): Promise<Status | null> {
  const asked = controlRequest(`${directory}/control.sock`, "GET", "/v1/status");
  const answer = await asked.catch(() => null);
  return answer?.status === 200 ? JSON.parse(answer.text) : null;
}

for (const [name, manage] of [["supervisord", supervisord], ["daemon", daemon]] as const) {
  const no = onlyForLong ?? whyNoEpoll() ?? without(name);
  testWith(no, `${name} stops a parked proxy and starts the next, and nobody notices`, async () => {
    await using temporary = await TemporaryDirectory.make();
    const { path } = temporary;
    const directory = `${path}/proxy`;
    await using service = await echo();
    const port = 30000 + Deno.pid % 2000;
    const upstream = formatAddress(service.address);
    const args = [`127.0.0.1:${port}`, upstream, "--runtime-dir", directory];
    await using manager = await manage(path, [...commandOf("proxy"), ...args]);
    const ctl = (...verb: string[]) => complete("proxyctl", ["--runtime-dir", directory, ...verb]);
    const status = () => statusAt(directory);
    await manager.start();
    await until(status, (now) => now?.state === "open");
    assert.equal((await ctl("drain")).code, 0);
    using early = await Peer.connect({ host: "127.0.0.1", port });
    await early.send("hi");
    const { keeper } = JSON.parse((await ctl("park", "--json")).stdout);
    try {
      await manager.stop();
      await until(status, (now) => now?.pid === keeper);
      using late = await Peer.connect({ host: "127.0.0.1", port });
      await late.send("hi");
      await manager.start();
      await until(status, (now) => now?.state === "drained");
      assert.equal((await ctl("resume")).code, 0);
      assert.deepEqual([await early.read(2), await late.read(2)], ["hi", "hi"]);
    } finally {
      if (isKeeper(keeper, directory)) Deno.kill(keeper, "SIGKILL");
    }
  });
}

testWith(
  onlyForLong ?? whyNoEpoll() ?? without("supervisord"),
  "after an upgrade supervisord has the proxy again, with the settings that the documents name",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const { path } = temporary;
    const directory = `${path}/proxy`;
    await using service = await echo();
    const port = 32000 + Deno.pid % 500;
    const args = [`127.0.0.1:${port}`, formatAddress(service.address), "--takeover", "always"];
    const command = [...commandOf("proxy"), ...args, "--runtime-dir", directory];
    const ctl = (...verb: string[]) => complete("proxyctl", ["--runtime-dir", directory, ...verb]);
    const pid = async () => (await statusAt(directory))?.pid ?? null;
    await using manager = await supervisord(path, command, "autorestart=true");
    await using _stray = {
      async [Symbol.asyncDispose]() {
        const left = await pid();
        if (left !== null) Deno.kill(left, "SIGKILL");
      },
    };
    await manager.start();
    await until(pid, (now) => now !== null);
    using client = await Peer.connect({ host: "127.0.0.1", port });
    await client.send("hi");
    assert.equal(await client.read(2), "hi");
    const { code, stdout, stderr } = await ctl("upgrade", "--json");
    assert.equal(code, 0, stderr);
    const successor = Number(JSON.parse(stdout).pid.new);
    // supervisord starts another one, which takes over from that.
    const last = await until(pid, (now) => now !== null && now !== successor);
    assert.equal(await manager.pid(), last);
    await client.send("yo");
    assert.equal(await client.read(2), "yo");
    client.finish();
    assert.equal(await client.rest(), "");
    await manager.stop();
    await until(pid, (now) => now === null);
  },
);
