import assert from "node:assert/strict";
import { join } from "node:path";
import { Peer } from "../../relay/peer.ts";
import { freePort } from "../../support/free_port.ts";
import { controlRequest } from "../../support/control_request.ts";
import { onlyForLong } from "../../support/long.ts";
import { Running } from "../../support/programs.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { moduleWith, Nix } from "../nix.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("process");

/** A proxy as the module for NixOS describes it, with its directory on a machine of the test. */
interface Instance {
  readonly directory: string;
  /** Has it run as its unit would. */
  start(): Running;
  /** Does what its unit does when it is reloaded. @returns the exit code, and what it said */
  reload(mainProcess: number): Promise<{ code: number; said: string }>;
}

async function instance(
  nix: Nix,
  { directory: home, programs }: Machine,
  port: number,
  upstream: number,
): Promise<Instance> {
  const service = `(${
    moduleWith(`web = {
      listen = "127.0.0.1:${port}";
      upstream = "127.0.0.1:${upstream}";
      package = { outPath = "${programs}"; };
    };`)
  }).systemd.services.disnix-tcp-proxy-web.serviceConfig`;
  const [script = ""] = await nix.build(`(${service}).ExecReload`);
  const command = String(await nix.evaluate(`(${service}).ExecStart`));
  const here = (text: string) => text.replaceAll("/run/disnix-tcp-proxy", join(home, "run"));
  const reload = join(home, `reload-${port}`);
  await Deno.writeTextFile(reload, here(await Deno.readTextFile(script)), { mode: 0o700 });
  return {
    directory: join(home, "run", `${port}`),
    start: () => new Running(JSON.parse(`[${here(command).replaceAll('" "', '","')}]`)),
    async reload(pid) {
      // The next process has the same output, and goes on.
      const log = join(home, "reload.log");
      const words = ["/bin/sh", "-c", 'exec "$0" >"$1" 2>&1', reload, log];
      await using running = new Running(words, { env: { MAINPID: `${pid}` } });
      const { code } = await running.finished();
      return { code, said: await Deno.readTextFile(log) };
    },
  };
}

async function pidIn({ directory }: Instance): Promise<number | null> {
  const path = join(directory, "control.sock");
  const answer = await controlRequest(path, "GET", "/v1/status").catch(() => null);
  return answer && JSON.parse(answer.text).pid;
}

/** A machine on which the module's proxy runs, in front of a service. */
async function scene(stack: AsyncDisposableStack) {
  const machine = stack.use(await Machine.start());
  const nix = stack.use(await Nix.start());
  const [port, upstream] = [freePort(), freePort()];
  const server = stack.use(await machine.program("server", [`127.0.0.1:${upstream}`]));
  await server.heard(/Listening/);
  const web = await instance(nix, machine, port, upstream);
  const proxy = stack.use(web.start());
  const pid = await until(() => pidIn(web), (found) => found !== null);
  return { machine, nix, port, upstream, web, proxy, pid: pid ?? 0 };
}

testWith(
  onlyForLong ?? no,
  "a reload of the module's unit has another process take over",
  async () => {
    await using stack = new AsyncDisposableStack();
    const { web, proxy, pid, port } = await scene(stack);
    using client = await Peer.connect({ host: "127.0.0.1", port });
    await client.send("hello\n");
    await client.read(1);
    const { code, said } = await web.reload(pid);
    assert.equal(code, 0, said);
    const after = await pidIn(web) ?? 0;
    stack.defer(() => Deno.kill(after, "SIGKILL"));
    assert.notEqual(after, pid);
    assert.equal((await proxy.finished()).code, 0);
    await client.send("hello\nquit\n");
    assert.equal(await client.rest(), "ello world!\r\nHello world!\r\n");
  },
);

testWith(
  onlyForLong ?? no,
  "a reload of the module's unit with another port fails, and says why",
  async () => {
    await using stack = new AsyncDisposableStack();
    const { machine, nix, upstream, web, pid } = await scene(stack);
    const other = await instance(nix, machine, freePort(), upstream);
    const { code, said } = await other.reload(pid);
    assert.equal(code, 1);
    assert.match(said, /If its port was changed: systemctl restart disnix-tcp-proxy-web/);
    assert.equal(await pidIn(other), null, "there are no two of them");
    assert.equal(await pidIn(web), pid);
  },
);
