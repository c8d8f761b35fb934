import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/relay/epoll/available.ts";
import { formatAddress } from "../../lib/address.ts";
import { echo, Peer } from "../relay/peer.ts";
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

async function supervisord(directory: string, command: readonly string[]): Promise<Manager> {
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
startsecs=0
`,
  );
  const daemon = new Running(["supervisord", "--nodaemon", "--configuration", config]);
  await daemon.heard(/supervisord started/, "stdout");
  const control = (verb: string) => run("supervisorctl", "--configuration", config, verb, "proxy");
  return {
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
  const stop = async () => void await run("daemon", ...options, "--stop");
  return Promise.resolve({
    start: async () => void await run("daemon", ...options, "--unsafe", "--", ...command),
    stop,
    [Symbol.asyncDispose]: stop,
  });
}

for (const [name, manage] of [["supervisord", supervisord], ["daemon", daemon]] as const) {
  const no = whyNoEpoll() ?? without(name);
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
    const status = async () => {
      const { code, stdout } = await ctl("status", "--json");
      return code === 0 ? JSON.parse(stdout) : null;
    };
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
