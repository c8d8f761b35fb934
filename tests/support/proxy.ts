/**
 * A real proxy process in a temporary runtime directory, and proxyctl for it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Address, formatAddress } from "../../lib/address.ts";
import type { ResumeBody, Status } from "../../lib/control/api.ts";
import type { DrainBody } from "../../lib/drain/request.ts";
import { Peer } from "../relay/peer.ts";
import { controlRequest } from "./control_request.ts";
import { complete, type Finished, type Running, start, type StartOptions } from "./programs.ts";
import { until } from "./until.ts";

/** How a proxy is started. */
export interface ProxyOptions extends StartOptions {
  readonly args?: readonly string[];
  /** Instead of a port that the system chooses on 127.0.0.1. */
  readonly listen?: string;
  /** Instead of a temporary one; it is not removed then. */
  readonly directory?: string;
}

/** A proxy that runs. Disposing of it kills it. */
export class Proxy implements AsyncDisposable {
  private constructor(
    readonly process: Running,
    readonly directory: string,
    readonly address: Address,
    private readonly temporary: string | null,
    /** Of which it is one, if it was compiled. */
    private readonly executables: Pick<StartOptions, "executables">,
  ) {}

  /**
   * Starts one for this upstream, and waits until it listens. Its log is JSON, with everything.
   * `$RELAY` names the relay, if it is not to be the one that a proxy chooses.
   */
  static async start(upstream: Address, options: ProxyOptions = {}): Promise<Proxy> {
    const temporary = options.directory === undefined ? await Deno.makeTempDir() : null;
    const directory = options.directory ?? `${temporary}/proxy`;
    const relay = Deno.env.get("RELAY");
    const process = start("proxy", [
      options.listen ?? "127.0.0.1:0",
      formatAddress(upstream),
      "--runtime-dir",
      directory,
      "--log-format=json",
      "--log-level=debug",
      ...(relay === undefined ? [] : [`--relay=${relay}`]),
      ...options.args ?? [],
    ], options);
    try {
      const [, port] = await process.heard(/"event":"listen","listen":"[^"]*:(\d+)"/);
      const address = { host: "127.0.0.1", port: Number(port) };
      const { executables } = options;
      const compiled = executables === undefined ? {} : { executables };
      return new Proxy(process, directory, address, temporary, compiled);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  get controlSocket(): string {
    return `${this.directory}/control.sock`;
  }

  /** A client that is connected to it. */
  connect(): Promise<Peer> {
    return Peer.connect(this.address);
  }

  /** A client that has been served by an echo, so that its connection is active. */
  async served(): Promise<Peer> {
    const peer = await this.connect();
    await peer.send("hi");
    await peer.read(2);
    return peer;
  }

  /** Runs proxyctl for it. */
  ctl(args: readonly string[], options: StartOptions = {}): Promise<Finished> {
    const command = ["--runtime-dir", this.directory, ...args];
    return complete("proxyctl", command, { ...this.executables, ...options });
  }

  /** Starts proxyctl for it. */
  startCtl(args: readonly string[], options: StartOptions = {}): Running {
    const command = ["--runtime-dir", this.directory, ...args];
    return start("proxyctl", command, { ...this.executables, ...options });
  }

  /** Asks it directly. */
  request(method: string, path: string, body: string | object = "") {
    return controlRequest(this.controlSocket, method, path, body);
  }

  /** Drains it for `me`, asking directly, and waits until it is drained. */
  async drain(body: Partial<DrainBody> = {}): Promise<void> {
    const { status, text } = await this.request("POST", "/v1/drain", { owner: "me", ...body });
    assert.equal(status, 200, text);
    assert.equal(JSON.parse(text.trimEnd().split("\n").at(-1) ?? "").outcome, "drained", text);
  }

  /** Resumes it for `me`, asking directly. */
  async resume(body: Partial<ResumeBody> = {}): Promise<void> {
    const { status, text } = await this.request("POST", "/v1/resume", { owner: "me", ...body });
    assert.equal(status, 200, text);
  }

  /** Sends new connections elsewhere, asking directly. */
  async retarget(to: Address): Promise<void> {
    const upstream = formatAddress(to);
    const { status, text } = await this.request("PUT", "/v1/upstream", { upstream });
    assert.equal(status, 200, text);
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.request("GET", "/v1/status")).text);
  }

  /** Waits until its status is such. */
  until(condition: (status: Status) => boolean): Promise<Status> {
    return until(() => this.status(), condition);
  }

  /** Waits until its log has a line for this event, for the n-th time. */
  async logged(event: string, count = 1): Promise<Record<string, unknown>> {
    const line = `\\{[^\\n]*"event":"${event}"[^\\n]*\\n`;
    await this.process.heard(new RegExp(`(?:${line}[^]*?){${count}}`));
    return this.log(event)[count - 1] ?? {};
  }

  /** What its log says, of this event or of all. */
  log(event?: string): Record<string, unknown>[] {
    const lines = this.process.stderr.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    return event === undefined ? lines : lines.filter((line) => line.event === event);
  }

  /** Kills it, and waits until it is gone. */
  async crash(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.finished();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    if (this.temporary !== null) await Deno.remove(this.temporary, { recursive: true });
  }
}
