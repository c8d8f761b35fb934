/**
 * A proxy that can move, without a data plane: a real drain with a real record, on a real control
 * socket, over a relay that is none.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../lib/address.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Status } from "../../lib/control/api.ts";
import { controlHandler } from "../../lib/control/server.ts";
import type { Controlled } from "../../lib/control/controlled.ts";
import { ControlSocket } from "../../lib/control/socket.ts";
import { Drain } from "../../lib/drain/drain.ts";
import { RecordFile } from "../../lib/drain/store.ts";
import { type DrainSnapshot, parseSnapshot } from "../../lib/drain/snapshot.ts";
import { pathsIn } from "../../lib/runtime_directory/paths.ts";
import { COMMAND_UPSTREAM } from "../drain/fake_proxy.ts";
import { atOnce, FakeRelay } from "../drain/fakes.ts";
import { controlRequest } from "../support/control_request.ts";

/** One process of it. Their names tell them apart. */
export class MovingProxy implements AsyncDisposable {
  readonly relay = new FakeRelay(systemClock, atOnce, parseAddress(COMMAND_UPSTREAM));
  readonly drain: Drain;
  /** What was asked, as `POST /v1/drain`. */
  readonly requests: string[] = [];
  readonly #controlled: Controlled;
  #socket: ControlSocket | null = null;

  constructor(readonly directory: string, readonly name: string) {
    const { relay } = this;
    this.drain = new Drain({
      suspendQuiet: null,
      relay,
      clock: systemClock,
      store: new RecordFile(pathsIn(directory).record),
      commandUpstream: relay.upstream,
      report() {},
    });
    relay.noneActive = () => this.drain.noneActive();
    this.#controlled = {
      relay: {
        get active() {
          return relay.active;
        },
        get queued() {
          return relay.queued.length;
        },
        suspended: 0,
        get upstream() {
          return relay.upstream;
        },
        get elsewhere() {
          return relay.elsewhere;
        },
        connections: () => relay.connections(),
        close: (id, reason) => relay.close(id, reason),
        whyUnusable: () => Promise.resolve(null),
        held: () => [],
      },
      drain: this.drain,
      upgrade: () => Promise.reject(new Error("It has no other program")),
      status: () => this.#status(),
      metrics: () => Promise.resolve({ text: "", contentType: "text/plain" }),
      upstreamAnswers: () => Promise.resolve(true),
    };
  }

  /** An open one with so many connections. */
  static async start(directory: string, connections: number): Promise<MovingProxy> {
    const proxy = new MovingProxy(directory, "first");
    for (let count = 0; count < connections; count++) proxy.relay.arrive();
    await proxy.drain.start(null, false);
    await proxy.serve();
    return proxy;
  }

  /** Serves the control socket. */
  async serve(): Promise<void> {
    const handler = controlHandler(this.#controlled, reportError);
    this.#socket = await ControlSocket.serve(this.directory, null, (request) => {
      this.requests.push(`${request.method} ${request.path}`);
      return handler(request);
    });
    await this.#socket.appear();
  }

  /** What the other one had is here from now on; its clients must find their way by themselves. */
  async takeOver(other: MovingProxy, snapshot: DrainSnapshot): Promise<void> {
    other.relay.moveTo(this.relay);
    await this.drain.takeOver(parseSnapshot(JSON.parse(JSON.stringify(snapshot))));
  }

  /** Everything moves to another one, as between two processes. */
  async move(name: string): Promise<MovingProxy> {
    const snapshot = await this.drain.freeze();
    const next = new MovingProxy(this.directory, name);
    this.drain.moved();
    await Promise.all([
      this.#socket?.giveWay(),
      next.takeOver(this, snapshot).then(() => next.serve()),
    ]);
    return next;
  }

  /** The control socket goes, and with it everybody who waits. */
  async close(): Promise<void> {
    await this.#socket?.close();
  }

  /** Asks over the control socket, whoever serves it. */
  request(method: string, path: string, body: string | object = "") {
    return controlRequest(pathsIn(this.directory).control, method, path, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain.stop();
    await this.close();
  }

  #status(): Status {
    const { state, owner } = this.drain.status;
    return {
      state,
      owner,
      active: this.relay.active,
      queued: this.relay.queued.length,
      suspended: 0,
      heldSince: null,
      queueLimit: null,
      listen: "127.0.0.1:1",
      upstream: formatAddress(this.relay.upstream),
      reason: null,
      since: null,
      deadline: null,
      leaseExpires: null,
      keeper: null,
      parkedUntil: null,
      accepted: 0,
      bytesUp: 0,
      bytesDown: 0,
      relay: "portable",
      threads: 1,
      pid: Deno.pid,
      version: this.name,
      machine: "",
      directory: "",
      lastDrain: null,
      startedAt: "2026-03-01T12:00:00.000Z",
    };
  }
}
