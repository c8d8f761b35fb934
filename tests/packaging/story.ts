import assert from "node:assert/strict";
import { executables } from "../support/executables.ts";
import { complete, Running, start, type StartOptions } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { succeeded } from "../support/scene.ts";

/**
 * All that the four executables do, once: a client is served by a proxy that is upgraded, drained,
 * resumed, parked and started again.
 *
 * @param directory the runtime directory
 * @param options for every process that is started
 */
export async function runStory(directory: string, options: StartOptions = {}): Promise<void> {
  const all = { ...options, executables: await executables() };
  await using stack = new AsyncDisposableStack();
  const started = <T extends Running | Proxy>(one: T): T => {
    stack.use(one);
    // Before it, as long as they are known: what it was started through would leave them behind.
    const { pid } = one instanceof Proxy ? one.process : one;
    stack.defer(() => childrenOf(pid).forEach(endIfThere));
    return one;
  };
  const server = started(start("server", ["127.0.0.1:0"], all));
  const [, port] = await server.heard(/Listening on port (\d+)/);
  const upstream = { host: "localhost", port: Number(port) };
  const proxy = started(await Proxy.start(upstream, { ...all, directory }));
  const ctl = async (words: string) =>
    succeeded(words, await proxy.ctl(words.split(" "), options)).stdout;

  const client = started(start("client", [`127.0.0.1:${proxy.address.port}`], all));
  const asks = async (times: number) => {
    await client.write("hello\n");
    await client.heard(new RegExp(`(Hello world!\\s+){${times}}`), "stdout");
  };
  await asks(1);
  for (const words of ["status", "connections", "metrics", "completions bash"]) await ctl(words);
  succeeded("list", await complete("proxyctl", ["list"], all));
  const { pid } = JSON.parse(await ctl("upgrade --json"));
  stack.defer(() => endIfThere(pid.new));
  await asks(2);
  await client.write("quit\n");
  await client.finished();

  await ctl("drain");
  await ctl("resume");
  await ctl("with-drain -- true");
  await ctl("drain");
  // Traced, it lasts as long as the keeper does.
  const parking = ctl("park --for 1m");
  await proxy.until(({ keeper }) => keeper !== null);
  Deno.kill(pid.new, "SIGTERM");
  await proxy.until(({ state }) => state === "parked");
  const again = { ...all, directory, listen: `127.0.0.1:${proxy.address.port}` };
  const next = started(await Proxy.start(upstream, again));
  await parking;
  await ctl("resume");
  Deno.kill((await next.status()).pid, "SIGTERM");
  assert.equal((await next.process.finished()).code, 0);
}

/** Runs a command to its end. @throws unless it succeeds */
export async function run(...command: string[]): Promise<void> {
  await using running = new Running(command);
  succeeded(command.join(" "), await running.finished());
}

function childrenOf(pid: number): number[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    return children.trim().split(" ").filter((child) => child !== "").map(Number);
  } catch {
    return [];
  }
}

function endIfThere(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch { /* it has ended */ }
}
