import assert from "node:assert/strict";
import { type Address, formatAddress } from "../../lib/address.ts";
import type { ConnectionView } from "../../lib/control/api.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** Proxies of which each takes over from the one before. Disposing of it kills all of them. */
export class Lineage implements AsyncDisposable {
  readonly #all: Proxy[] = [];

  private constructor(private readonly temporary: TemporaryDirectory) {}

  /** Starts the first. */
  static async found(upstream: Address, args: readonly string[] = []): Promise<Lineage> {
    const lineage = new Lineage(await TemporaryDirectory.make());
    lineage.#all.push(await Proxy.start(upstream, { directory: lineage.directory, args }));
    return lineage;
  }

  get directory(): string {
    return `${this.temporary.path}/proxy`;
  }

  /** Where all of them listen. */
  get address(): Address {
    return (this.#all[0] as Proxy).address;
  }

  /** The one that serves. */
  get proxy(): Proxy {
    return this.#all.at(-1) as Proxy;
  }

  /** Starts the next, and waits until it serves. @returns the one before */
  async succeed(upstream: Address, args: readonly string[] = []): Promise<Proxy> {
    const before = this.proxy;
    this.#all.push(await this.startNext(upstream, args));
    return before;
  }

  /** As {@linkcode succeed}, and waits until the one before is gone, in peace. */
  async replace(upstream: Address, args: readonly string[] = []): Promise<void> {
    const before = await this.succeed(upstream, args);
    const { code, stderr } = await before.process.finished();
    assert.equal(code, 0, stderr);
  }

  /** Starts one that is not counted as the next until it serves. */
  startNext(upstream: Address, args: readonly string[] = []): Promise<Proxy> {
    const { directory, address } = this;
    const listen = formatAddress(address);
    return Proxy.start(upstream, { directory, listen, args: ["--takeover=always", ...args] });
  }

  /** The connections of the one that serves. */
  async connections(): Promise<ConnectionView[]> {
    return JSON.parse((await this.proxy.request("GET", "/v1/connections")).text).connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#all) await proxy[Symbol.asyncDispose]();
    await this.temporary[Symbol.asyncDispose]();
  }
}
