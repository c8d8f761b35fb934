/**
 * A proxy that the tests of a file have one after the other: to start one takes longer than most of
 * them.
 *
 * @module
 */

import { echo, type Service } from "../relay/peer.ts";
import { Proxy } from "./proxy.ts";
import { recovers } from "./recovers.ts";

/** The one that nobody has. */
let free: LentProxy | null = null;

Deno.test.afterAll(() => free?.end());

/**
 * Lends a proxy in front of an echo, with the options that it has by itself. It may have served and
 * been drained before: its history and its counters know of that, its log does not.
 */
export async function lendProxy(): Promise<LentProxy> {
  const lent = free ?? await LentProxy.start();
  free = null;
  lent.proxy.process.forget();
  return lent;
}

/** A proxy for one test. Disposing of it gives it back, if it is still as it was, or else ends it. */
class LentProxy implements AsyncDisposable {
  private constructor(readonly proxy: Proxy, private readonly service: Service) {}

  static async start(): Promise<LentProxy> {
    const service = await echo();
    return new LentProxy(await Proxy.start(service.address), service);
  }

  async end(): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.service[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (free === null && await recovers(this.proxy)) free = this;
    else await this.end();
  }
}
