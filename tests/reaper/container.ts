import type { Status } from "../../lib/control/api.ts";
import type { Address } from "../../lib/address.ts";
import { whyNoTakeover } from "../handover/why_not.ts";
import { commandOf, Running } from "../support/programs.ts";
import { Proxy, type ProxyOptions } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** Words that give a command a PID namespace, and a /proc, of its own, which ends with them. */
export const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

/** Why there can be no containers here; `null` if there can. */
export const whyNoContainer: string | null = whyNoTakeover ?? (canUnshare() ? null : "no unshare");

function canUnshare(): boolean {
  const [command = "", ...args] = UNSHARE;
  try {
    return new Deno.Command(command, { args: [...args, "true"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** How a container is started. */
export interface ContainerOptions extends ProxyOptions {
  /** The words that a container's first process is started with, before those of the proxy. */
  readonly init?: readonly string[];
}

/** A proxy in a PID namespace of its own. Disposing of it ends the namespace. */
export class Container implements AsyncDisposable {
  private constructor(readonly proxy: Proxy, readonly first: number) {}

  /** Starts the proxy as the first process of a namespace, or as what the first process starts. */
  static async start(
    upstream: Address,
    { init = [], ...options }: ContainerOptions = {},
  ): Promise<Container> {
    const proxy = await Proxy.start(upstream, { ...options, through: [...UNSHARE, ...init] });
    const { pid } = proxy.process;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    return new Container(proxy, Number(children));
  }

  /** Runs a command in it. */
  enter(...command: string[]): Running {
    return new Running(["nsenter", "--pid", "--mount", `--target=${this.first}`, ...command]);
  }

  /** Starts a proxy in it with the runtime directory of the one that runs, as by hand. */
  enterProxy(upstream: string, ...args: string[]): Running {
    const { address: { host, port }, directory } = this.proxy;
    const where = [`${host}:${port}`, upstream, "--runtime-dir", directory];
    return this.enter(...commandOf("proxy"), ...where, "--log-format=json", ...args);
  }

  /** Has the proxy upgraded. @returns its status afterwards */
  async upgrade(): Promise<Status> {
    const { status, text } = await this.proxy.request("POST", "/v1/upgrade");
    if (status !== 200) throw new Error(text);
    return await this.proxy.status();
  }

  /** Sends a signal to one of its processes. @param pid as it is known in there */
  async kill(pid: number, signal: Deno.Signal): Promise<void> {
    Deno.kill(await this.outside(pid), signal);
  }

  /** The number by which one of its processes is known out here. */
  async outside(pid: number): Promise<number> {
    const found = (await this.processes()).find((process) => process.inside === pid);
    if (found === undefined) throw new Error(`No process ${pid} in there`);
    return found.outside;
  }

  /** All that run in it. */
  async processes(): Promise<{ inside: number; outside: number; isZombie: boolean }[]> {
    const namespace = await Deno.readLink(`/proc/${this.first}/ns/pid`);
    const found = [];
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const status = await Deno.readTextFile(`/proc/${name}/status`);
        const [, state] = /^State:\s*(\S)/m.exec(status) ?? [];
        const numbers = /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
        // A zombie has no namespaces any more, but numbers in them.
        if (state !== "Z" && await Deno.readLink(`/proc/${name}/ns/pid`) !== namespace) continue;
        if (numbers.length < 2) continue;
        const isZombie = state === "Z";
        found.push({ inside: Number(numbers.at(-1)), outside: Number(name), isZombie });
      } catch { /* it has just ended */ }
    }
    return found;
  }

  /** Waits until the process that has given everything has become the reaper. */
  becameReaper(pid: number): Promise<string> {
    return until(
      async () => {
        // While a program takes the place of another it has neither a command line nor a namespace.
        const outside = await this.outside(pid).catch(() => null);
        if (outside === null) return "";
        return await Deno.readTextFile(`/proc/${outside}/cmdline`).catch(() => "");
      },
      (words) => words.includes("\0reap\0"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
  }
}
