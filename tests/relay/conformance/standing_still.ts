import assert from "node:assert/strict";
import type { CloseReason, RelayOptions } from "../../../lib/relay/relay.ts";
import { whyNoRelay } from "../../support/why_no_relay.ts";
import { LINUX } from "../machine.ts";
import { Peer, Service, unusedAddress } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { eventually, pause } from "../waiting.ts";

/** More sockets than a thread is told of at once (see lib/relay/epoll/thread.ts). */
const PAIRS = 300;

/** The shortest timeout, in milliseconds; on a busy machine it is a longer one. */
const TIMEOUT = 3000;

/** A process that was stopped, or frozen with its container, does not blame that on connections. */
export function testStandingStill(kind: Kind): void {
  // Where nothing moves for seconds: another relay does so only for long.
  const isNotTried = !LINUX || kind === "portable" && whyNoRelay(kind) !== null;
  for (const halfClosed of [false, true]) {
    const timeout = halfClosed ? "halfCloseTimeout" : "idleTimeout";
    Deno.test({
      name: `${kind}: a standstill cuts no connection that is busy: ${timeout}`,
      ignore: isNotTried,
      fn: async () => {
        const { crowd: gathered, time } = await busyCrowd(kind, timeout);
        await using crowd = gathered;
        await crowd.relay.meanwhile(async () => {
          await crowd.say();
          await pause(time);
        });
        await crowd.hear();
        // Those that are idle indeed are cut all the same.
        const reason = halfClosed ? "half_close_timeout" : "idle_timeout";
        await crowd.areCut(reason);
      },
    });
  }

  Deno.test({
    name:
      `${kind}: a standstill longer than the connect timeout costs no client the service that comes meanwhile`,
    ignore: isNotTried,
    fn: async () => {
      const address = await unusedAddress();
      const settings = { connectTimeout: TIMEOUT };
      await using relay = await RelayInProcess.borrow(kind, address, [], settings);
      using client = await Peer.connect(relay.listen);
      while ((await relay.ask()).failures === 0) await pause(5);
      const coming = Promise.withResolvers<Service>();
      await relay.meanwhile(async () => {
        coming.resolve(Service.start(address));
        await pause(TIMEOUT + 500);
      });
      await using service = await coming.promise;
      const server = await service.next();
      await server.send("here I am");
      assert.equal(await client.read(9), "here I am");
    },
  });

  Deno.test({
    name:
      `${kind}: a standstill cuts no connection that is busy: a wish to cut those that are idle`,
    ignore: isNotTried,
    fn: async () => {
      await using crowd = await Crowd.gather(kind, {});
      await crowd.talk();
      let asked: Promise<unknown> | undefined;
      await crowd.relay.meanwhile(async () => {
        await crowd.say();
        await pause(TIMEOUT);
        asked = crowd.relay.ask(`close idle ${TIMEOUT}`);
      });
      await crowd.hear();
      await asked;
      assert.equal((await crowd.relay.ask()).closed.drain, 0);
      // Everybody is idle for no time at all.
      await crowd.relay.ask("close idle 0");
      await crowd.areCut("drain");
    },
  });
}

/** A crowd none of which was idle for half of the time that it may be. */
async function busyCrowd(
  kind: Kind,
  timeout: "idleTimeout" | "halfCloseTimeout",
): Promise<{ crowd: Crowd; time: number }> {
  for (let time = TIMEOUT;; time *= 2) {
    const began = performance.now();
    const crowd = await Crowd.gather(kind, { [timeout]: time });
    try {
      if (timeout === "halfCloseTimeout") await crowd.endClients();
      await crowd.talk();
      if (performance.now() - began < time / 2) return { crowd, time };
    } catch (error) {
      // Some were cut, since that took too long.
      if (time > 10 * TIMEOUT) throw error;
    }
    await crowd[Symbol.asyncDispose]();
  }
}

/** Clients of a relay in a process of its own, as many connections of its service, and bytes. */
class Crowd implements AsyncDisposable {
  private constructor(
    readonly relay: RelayInProcess,
    readonly service: Service,
    readonly clients: readonly Peer[],
    readonly servers: readonly Peer[],
  ) {}

  static async gather(kind: Kind, timeouts: Partial<RelayOptions>): Promise<Crowd> {
    const servers: Peer[] = [];
    const service = await Service.start({}, (server) => servers.push(server));
    const settings = { idleTimeout: null, halfCloseTimeout: null, ...timeouts };
    const relay = await RelayInProcess.borrow(kind, service.address, [], settings);
    const connect = () => Peer.connect(relay.listen);
    const clients = await Promise.all(Array.from({ length: PAIRS }, connect));
    await eventually(() => servers.length === PAIRS);
    return new Crowd(relay, service, clients, servers);
  }

  async endClients(): Promise<void> {
    for (const client of this.clients) client.finish();
    await Promise.all(this.servers.map((server) => server.ending));
  }

  /** The service says a byte to everybody. */
  async say(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.send(".")));
  }

  /** Everybody hears a byte. */
  async hear(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.read(1)));
  }

  async talk(): Promise<void> {
    await this.say();
    await this.hear();
  }

  async areCut(reason: CloseReason): Promise<void> {
    while ((await this.relay.ask()).active > 0) await pause(5);
    assert.equal((await this.relay.ask()).closed[reason], PAIRS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client[Symbol.dispose]();
    await this.relay[Symbol.asyncDispose]();
    await this.service[Symbol.asyncDispose]();
  }
}
