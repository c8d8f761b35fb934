/**
 * A service, a proxy in front of it, and the keeper that it is parked with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo, Peer, type Service } from "../relay/peer.ts";
import { Proxy, type ProxyOptions } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";

/** What `proxyctl park --json` says. */
export interface Parked {
  readonly keeper: number;
  readonly until: string;
  readonly queued: number;
}

/** Disposing of it kills all that is left, keepers among them. */
export class Stage implements AsyncDisposable {
  readonly #keepers: number[] = [];

  private constructor(
    readonly service: Service,
    readonly proxy: Proxy,
    readonly directory: string,
    private readonly stack: AsyncDisposableStack,
  ) {}

  /** Starts the service and the proxy. */
  static async set(options: ProxyOptions = {}): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await TemporaryDirectory.make());
    const directory = `${path}/proxy`;
    const service = stack.use(await echo());
    const args = ["--relay=epoll", ...options.args ?? []];
    const proxy = stack.use(await Proxy.start(service.address, { ...options, args, directory }));
    return new Stage(service, proxy, directory, stack.move());
  }

  /** Drains the proxy. */
  async drain(...args: string[]): Promise<void> {
    const { code, stderr } = await this.proxy.ctl(["drain", "--owner", "me", ...args]);
    assert.equal(code, 0, stderr);
  }

  /** Parks the proxy. */
  async park(...args: string[]): Promise<Parked> {
    const { code, stdout, stderr } = await this.proxy.ctl(["park", "--json", ...args]);
    assert.equal(code, 0, stderr);
    const parked = JSON.parse(stdout);
    this.#keepers.push(parked.keeper);
    return parked;
  }

  /** Ends the proxy that is parked, as a service manager would. */
  async stop(): Promise<void> {
    this.proxy.process.kill("SIGTERM");
    const { code, stderr } = await this.proxy.process.finished();
    assert.equal(code, 0, stderr);
  }

  /** Starts the next proxy. */
  async next(options: ProxyOptions = {}): Promise<Proxy> {
    const listen = formatAddress(this.proxy.address);
    const { directory, service } = this;
    const args = ["--relay=epoll", ...options.args ?? []];
    const all = { ...options, args, directory, listen };
    return this.stack.use(await Proxy.start(service.address, all));
  }

  /** Resumes. */
  async resume(proxy: Proxy): Promise<void> {
    const { code, stderr } = await proxy.ctl(["resume", "--owner", "me"]);
    assert.equal(code, 0, stderr);
  }

  /** A client that has said hi, and waits. */
  async client(): Promise<Peer> {
    const peer = await Peer.connect(this.proxy.address);
    await peer.send("hi");
    return peer;
  }

  /** What keepers have logged. */
  async log(): Promise<string> {
    return await Deno.readTextFile(`${this.directory}/keeper.log`).catch(() => "");
  }

  /** Waits until the log of keepers is such. */
  logged(pattern: RegExp): Promise<string> {
    return until(() => this.log(), (text) => pattern.test(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#keepers) {
      if (isKeeper(pid, this.directory)) Deno.kill(pid, "SIGKILL");
    }
    await this.stack.disposeAsync();
  }
}

/** Whether that process is the keeper of that directory: numbers are used again. */
export function isKeeper(pid: number, directory: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(`keep\0${directory}\0`);
  } catch {
    return false;
  }
}

/** Waits until a keeper has ended. */
export async function ended({ keeper }: Parked, { directory }: Stage): Promise<void> {
  await until(() => isKeeper(keeper, directory), (isThere) => !isThere);
}
