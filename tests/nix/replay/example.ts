/**
 * The example: a server, and a proxy in front of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Status } from "../../../lib/control/api.ts";
import { isKeeper } from "../../keeper/stage.ts";
import { Peer } from "../../relay/peer.ts";
import { freePort } from "../../support/free_port.ts";
import { controlRequest } from "../../support/control_request.ts";
import { until } from "../../support/until.ts";
import type { PackageOptions } from "./component.ts";
import { deploy, story } from "./disnix.ts";
import type { Component, Machine } from "./machine.ts";
import type { Service } from "./service.ts";

/** What a server of this version answers to a hello. */
export function answerOf(version: number): string {
  return `Hello-from-v${version}!\r\n`;
}

/** How a service differs from others. */
export interface Options extends PackageOptions {
  /** What stands before its command. */
  readonly before?: readonly string[];
  /** Further options of its program. */
  readonly args?: readonly string[];
  /** Of a proxy: to whom its directory is given. */
  readonly owner?: number;
}

/** The example on a machine. Disposing of it ends its clients and its keepers. */
export class Example implements AsyncDisposable {
  /** Where the proxy listens. */
  readonly address = { host: "127.0.0.1", port: freePort() };
  /** The runtime directory of the proxy. */
  readonly directory: string;
  readonly #clients: Peer[] = [];

  /** @param name of the proxy */
  constructor(readonly machine: Machine, readonly name = "proxy") {
    this.directory = join(machine.directory, "run/disnix-tcp-proxy", `${this.address.port}`);
  }

  /** A server of this version. */
  async server(version: number, port: number, options: Options = {}): Promise<Service> {
    const [component = ""] = await this.machine.build(serverOf(version, port, options));
    return this.#asServer(version, component);
  }

  /** A proxy for a server, which listens on this port. */
  async proxy(server: Service, upstream: number, options: Options = {}): Promise<Service> {
    const [component = ""] = await this.machine.build(this.#proxyOf(upstream, options));
    return this.#asProxy(component, server);
  }

  /** Deploys version 1 of the server, and the proxy. @returns both */
  async install(options: Options = {}): Promise<[server: Service, proxy: Service]> {
    const services = await this.version(1, options);
    const deployment = await deploy(this.machine, [], services);
    assert.ok(deployment.succeeded, story(deployment));
    return services;
  }

  /**
   * A version of the server, on a port of its own, and the proxy for it.
   *
   * @param options of the proxy; the parameter that is the server's is passed on
   */
  async version(
    version: number,
    { portTimeout, ...options }: Options = {},
    port = freePort(),
  ): Promise<[server: Service, proxy: Service]> {
    const ofServer = portTimeout === undefined ? {} : { portTimeout };
    const [first = "", second = ""] = await this.machine.build(
      serverOf(version, port, ofServer),
      this.#proxyOf(port, options),
    );
    const server = this.#asServer(version, first);
    return [server, this.#asProxy(second, server)];
  }

  /** A client that has said hello. */
  async client(): Promise<Peer> {
    const client = await Peer.connect(this.address);
    this.#clients.push(client);
    await client.send("hello\n");
    return client;
  }

  /** A client that this version has answered, and that stays. */
  async served(version: number): Promise<Peer> {
    const client = await this.client();
    await answered(client, version);
    return client;
  }

  /** How the proxy is. */
  async status(): Promise<Status> {
    const socket = join(this.directory, "control.sock");
    return JSON.parse((await controlRequest(socket, "GET", "/v1/status")).text);
  }

  /** Waits until the proxy is so. */
  until(condition: (status: Status) => boolean): Promise<Status | null> {
    const look = () => this.status().catch(() => null);
    return until(look, (status) => status !== null && condition(status));
  }

  /** The keepers that there are. */
  keepers(): number[] {
    const all = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name));
    return all.filter((pid) => pid > 0 && isKeeper(pid, this.directory));
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    for (const keeper of this.keepers()) Deno.kill(keeper, "SIGKILL");
    return Promise.resolve();
  }

  #proxyOf(upstream: number, { before = [], args = [], owner, ...options }: Options): Component {
    return {
      port: this.address.port,
      upstream,
      options,
      before,
      args: ["--log-format", "json", ...args],
      ...(owner !== undefined && { owner }),
    };
  }

  #asServer(version: number, component: string): Service {
    const { processType: type } = this.machine;
    return { name: `server-v${version}`, type, component, dependsOn: [] };
  }

  #asProxy(component: string, server: Service): Service {
    return { name: this.name, type: "wrapper", component, dependsOn: [server] };
  }
}

function serverOf(
  version: number,
  port: number,
  { before = [], args = [], ...options }: Options,
): Component {
  return { port, options, before, args: ["--greeting", answerOf(version).trim(), ...args] };
}

/** Waits until a client is answered, by this version. */
export async function answered(client: Peer, version: number): Promise<void> {
  const answer = answerOf(version);
  assert.equal(await client.read(answer.length), answer);
}

/** Has a client leave in good order. */
export async function leave(client: Peer): Promise<void> {
  await client.send("quit\n");
  assert.equal(await client.rest(), "");
  client.finish();
}
