/**
 * Real services that are upgraded behind a proxy.
 *
 * @module
 */

import { connect } from "node:net";
import type { DrainBody } from "../../lib/drain/request.ts";
import { type Finished, Running } from "../support/programs.ts";
import type { Proxy } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** A service that a command starts, on a port that stays the same. Disposing of it kills it. */
export class Daemon implements AsyncDisposable {
  #process: Running | null = null;

  constructor(readonly port: number) {}

  /** Starts it, and waits until it accepts connections. */
  async start(...command: string[]): Promise<void> {
    this.#process = new Running(command);
    await until(() => accepts(this.port), (does) => does);
  }

  /** Stops it as its service manager would, and waits for its end. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Finished | undefined> {
    this.#process?.kill(signal);
    return await this.#process?.finished();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: "127.0.0.1", port });
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/**
 * Upgrades what is behind a proxy while it is drained, with its clients connected.
 *
 * @returns how many of them were suspended meanwhile
 */
export async function upgrade(
  proxy: Proxy,
  replace: () => Promise<unknown>,
  drain: Partial<DrainBody> = {},
): Promise<number> {
  await proxy.drain(drain);
  const { suspended } = await proxy.status();
  await replace();
  await proxy.resume({ waitUpstream: "20s" });
  return suspended;
}
