/**
 * A service, a proxy in front of it, and the keeper that it is parked with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import type { DrainBody } from "../../lib/drain/request.ts";
import { echo, Peer, type Service } from "../relay/peer.ts";
import type { StartOptions } from "../support/programs.ts";
import { Proxy, type ProxyOptions } from "../support/proxy.ts";
import { recovers } from "../support/recovers.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";

/** What `proxyctl park --json` says. */
export interface Parked {
  readonly keeper: number;
  readonly until: string;
  readonly queued: number;
}

/** A proxy that a test has left as it was, with what belongs to it. */
interface Left {
  readonly service: Service;
  readonly proxy: Proxy;
  readonly directory: string;
  /** Has what is to be ended. */
  readonly stack: AsyncDisposableStack;
}

let left: Left | null = null;

Deno.test.afterAll(() => left?.stack.disposeAsync());

/** Disposing of it kills all that is left, keepers among them. */
export class Stage implements AsyncDisposable {
  readonly #keepers: number[] = [];
  /** Who was started last; `null` if with options of its own. */
  #last: Proxy | null;

  private constructor(
    readonly service: Service,
    readonly proxy: Proxy,
    readonly directory: string,
    private readonly stack: AsyncDisposableStack,
    isUsual: boolean,
  ) {
    this.#last = isUsual ? proxy : null;
  }

  /** Starts the service and the proxy, unless the test before has left them: to start takes long. */
  static async set(options: ProxyOptions = {}): Promise<Stage> {
    const isUsual = Object.keys(options).length === 0;
    if (isUsual && left !== null) {
      const { service, proxy, directory, stack } = left;
      left = null;
      proxy.process.forget();
      await Deno.remove(`${directory}/keeper.log`).catch(() => {});
      return new Stage(service, proxy, directory, stack, true);
    }
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await TemporaryDirectory.make());
    const directory = `${path}/proxy`;
    const service = stack.use(await echo());
    const args = ["--relay=epoll", ...options.args ?? []];
    const proxy = stack.use(await Proxy.start(service.address, { ...options, args, directory }));
    return new Stage(service, proxy, directory, stack.move(), isUsual);
  }

  /** Drains the proxy. */
  drain(body: Partial<DrainBody> = {}): Promise<void> {
    return this.proxy.drain(body);
  }

  /** Parks the proxy. */
  park(...args: string[]): Promise<Parked> {
    return this.parkIn({}, ...args);
  }

  /** Parks the proxy by a proxyctl that is started like this. */
  parkIn(options: StartOptions, ...args: string[]): Promise<Parked> {
    return this.parkBy(this.proxy, options, ...args);
  }

  /** Parks a proxy. */
  async parkBy(proxy: Proxy, options: StartOptions = {}, ...args: string[]): Promise<Parked> {
    const { code, stdout, stderr } = await proxy.ctl(["park", "--json", ...args], options);
    assert.equal(code, 0, stderr);
    const parked = JSON.parse(stdout);
    this.#keepers.push(parked.keeper);
    return parked;
  }

  /**
   * Drains the proxy with a lease, and parks it before that has expired: on a machine that is too busy
   * for it with a longer one.
   *
   * @param shortest lease, in milliseconds
   * @param time for how long it is parked with that lease; by default for much longer
   * @returns the lease that it was
   */
  async parkWithLease(
    shortest: number,
    time: (lease: number) => number = () => 300_000,
  ): Promise<number> {
    for (let lease = shortest;; lease *= 2) {
      await this.drain({ lease: `${lease}ms` });
      const words = ["park", "--json", "--for", `${time(lease)}ms`];
      const { code, stdout, stderr } = await this.proxy.ctl(words);
      if (code === 0) {
        this.#keepers.push(JSON.parse(stdout).keeper);
        return lease;
      }
      assert.equal(code, 8, stderr);
    }
  }

  /** Ends the proxy that is parked, as a service manager would. */
  async stop(): Promise<void> {
    this.proxy.process.kill("SIGTERM");
    const { code, stderr } = await this.proxy.process.finished();
    assert.equal(code, 0, stderr);
  }

  /** Starts the next proxy. */
  async next(options: ProxyOptions = {}): Promise<Proxy> {
    const listen = options.listen ?? formatAddress(this.proxy.address);
    const { directory, service } = this;
    const args = ["--relay=epoll", ...options.args ?? []];
    const all = { ...options, args, directory, listen };
    const proxy = this.stack.use(await Proxy.start(service.address, all));
    this.#last = Object.keys(options).length === 0 ? proxy : null;
    return proxy;
  }

  /** Resumes. */
  resume(proxy: Proxy): Promise<void> {
    return proxy.resume();
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
    const { service, directory, stack } = this;
    const proxy = this.#last;
    const isAsBefore = left === null && proxy !== null && await recovers(proxy);
    if (isAsBefore) left = { service, proxy, directory, stack };
    else await stack.disposeAsync();
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
