/**
 * The example on a machine, as it is by itself, which the tests of a file have one after the other: to
 * build and start it takes longer than most of them.
 *
 * @module
 */

import { controlRequest } from "../../support/control_request.ts";
import { Example } from "./example.ts";
import { Machine } from "./machine.ts";
import type { Service } from "./service.ts";

/** The one that nobody has. */
let free: Installed | null = null;

Deno.test.afterAll(() => free?.end());

/** Lends the example, installed. */
export async function lendInstalled(): Promise<Installed> {
  const lent = free ?? await Installed.make();
  free = null;
  return lent;
}

/**
 * The example for one test. Disposing of it gives it back, if the same proxy runs, open and without
 * clients, or can be resumed; or else ends it.
 */
class Installed implements AsyncDisposable {
  private constructor(
    readonly machine: Machine,
    readonly example: Example,
    readonly services: readonly [server: Service, proxy: Service],
    private readonly pid: number,
  ) {}

  static async make(): Promise<Installed> {
    await using stack = new AsyncDisposableStack();
    const machine = stack.use(await Machine.start());
    const example = stack.use(new Example(machine));
    const services = await example.install();
    const { pid } = await example.status();
    stack.move();
    return new Installed(machine, example, services, pid);
  }

  async end(): Promise<void> {
    await this.example[Symbol.asyncDispose]();
    await this.machine[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its clients and keepers are the test's.
    await this.example[Symbol.asyncDispose]();
    if (free === null && await this.#isAsBefore()) free = this;
    else await this.end();
  }

  async #isAsBefore(): Promise<boolean> {
    const { example } = this;
    const status = await example.status().catch(() => null);
    if (status?.pid !== this.pid || status.keeper !== null) return false;
    const { owner } = status;
    if (status.state !== "open") {
      const socket = `${example.directory}/control.sock`;
      await controlRequest(socket, "POST", "/v1/resume", { owner });
    }
    const after = await example.until(({ active, queued }) => active === 0 && queued === 0);
    return after?.state === "open" && after.pid === this.pid;
  }
}
