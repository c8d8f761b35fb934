/**
 * Takeovers that are disturbed at random moments, with live connections whose every byte is checked.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Address, formatAddress } from "../../lib/address.ts";
import { Service, unusedAddress } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { brieflyOr } from "../support/long.ts";
import { controlRequest } from "../support/control_request.ts";
import { type Running, start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { Wire } from "./wire.ts";

/** How many connections there are. */
const WIRES = brieflyOr(4, 8);
/** How many more bytes a client must hear to be sure that it goes on. */
const MORE = 500_000;

/** How far the next moment is from where it was hit last, and how much of that is chance. */
const STEP = 0.04;
const CHANCE = 0.1;

/** The proxy that serves, its successors, and the connections through them. */
export class Disturbed implements AsyncDisposable {
  #wires: Wire[] = [];
  /** How long after the start of a takeover it is disturbed, of the time that one takes. */
  #moment = 0.9;
  #usual = 0;

  private constructor(
    readonly directory: string,
    private readonly address: Address,
    private readonly service: Service,
    private readonly stack: AsyncDisposableStack,
    /** Who serves. */
    public current: Running,
  ) {}

  /** Starts the first proxy, and finds out how long a takeover takes. */
  static async begin(): Promise<Disturbed> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await TemporaryDirectory.make());
    const service = stack.use(await Service.start());
    const address = await unusedAddress();
    const all = stack.move();
    const first = launch(`${path}/proxy`, address, service);
    const self = new Disturbed(`${path}/proxy`, address, service, all, all.use(first));
    await self.serving(first);
    await self.connect();
    const begun = performance.now();
    const next = self.launch();
    await self.serving(next);
    self.#usual = performance.now() - begun;
    await first.finished();
    self.current = next;
    await self.check(true);
    return self;
  }

  /** Starts another proxy. */
  launch(): Running {
    return this.stack.use(launch(this.directory, this.address, this.service));
  }

  /** Waits until a proxy serves. */
  async serving(proxy: Running): Promise<void> {
    await proxy.heard(/"event":"listen"/);
  }

  /** Starts a takeover. @returns who takes over, at a moment that is as likely before it as after it */
  async takeover(): Promise<Running> {
    const next = this.launch();
    await pause(this.#usual * (this.#moment + CHANCE * (Math.random() - 0.5)));
    return next;
  }

  /** Whether a takeover was disturbed too late to matter, so that the next one is so sooner. */
  wasLate(late: boolean): void {
    this.#moment += late ? -STEP : STEP;
  }

  /** Sees to it that there are connections. */
  async connect(): Promise<void> {
    while (this.#wires.length < WIRES) {
      const wire = this.stack.use(
        await Wire.through(this.address, this.service, this.#wires.length),
      );
      for (const end of wire.ends) end.talk();
      this.#wires.push(wire);
    }
  }

  /** All connections go on, or all come to an end; nothing wrong ever came. */
  async check(goOn: boolean): Promise<void> {
    for (const wire of this.#wires) {
      const { client } = wire;
      const { heard } = client;
      await client.until(() => wire.isOver || goOn && client.heard > heard + MORE, "more");
      assert.equal(wire.fault, null);
      assert.equal(wire.isOver, !goOn);
    }
    if (!goOn) this.#wires = [];
  }

  /** Hears everything out. */
  async settle(): Promise<void> {
    for (const wire of this.#wires) await wire.settle();
    for (const { fault } of this.#wires) assert.equal(fault, null);
  }

  /** The pid of who answers at the control socket; `null` if nobody does. */
  async whoAnswers(): Promise<number | null> {
    try {
      const { text } = await controlRequest(`${this.directory}/control.sock`, "GET", "/v1/status");
      return JSON.parse(text).pid;
    } catch {
      return null;
    }
  }

  /** Waits until a proxy answers for itself: it has not given anything away. */
  async answers(proxy: Running): Promise<true> {
    await until(() => this.whoAnswers(), (pid) => pid === proxy.pid);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

function launch(directory: string, address: Address, service: Service): Running {
  return start("proxy", [
    formatAddress(address),
    formatAddress(service.address),
    `--runtime-dir=${directory}`,
    "--log-format=json",
    "--threads=2",
    "--takeover=always",
  ]);
}
