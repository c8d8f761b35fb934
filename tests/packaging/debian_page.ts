import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import type { DebianMachine } from "./debian_machine.ts";

const HEADERS = { authorization: `Basic ${btoa("ann:secret")}` };

/** The page of the package, on such a machine, as its unit serves it. */
export class DebianPage {
  private constructor(private readonly origin: string) {}

  /** Starts the unit, after what it needs is there; the network is that of the tests. */
  static async start(machine: DebianMachine): Promise<DebianPage> {
    const address = `127.0.0.1:${freePort()}`;
    const files = { "page.password": "ann:secret\n", "page.env": `OPTIONS=--listen ${address}\n` };
    for (const [name, text] of Object.entries(files)) {
      const write = `umask 077 && printf %s "$0" >/etc/disnix-tcp-proxy/${name}`;
      await machine.run("sh", "-c", write, text);
    }
    await machine.run("systemctl", "start", "disnix-tcp-proxy-page");
    return new DebianPage(`http://${address}`);
  }

  /** Waits until it shows these ports, and tells Prometheus of them; only to who has the password. */
  async shows(...ports: readonly number[]): Promise<void> {
    const all = (text: string, line: (port: number) => string) =>
      ports.every((port) => text.includes(line(port)));
    await until(() => this.#get("/"), (text) => all(text, (port) => `href="/proxy/${port}"`));
    const isUp = (port: number) => `disnix_tcp_proxy_up{listen="[::]:${port}"} 1\n`;
    await until(() => this.#get("/metrics"), (text) => all(text, isUp));
    const refused = await fetch(this.origin);
    await refused.body?.cancel();
    assert.equal(refused.status, 401);
  }

  /** Nothing if it is not there. */
  async #get(path: string): Promise<string> {
    const answer = await fetch(`${this.origin}${path}`, { headers: HEADERS }).catch(() => null);
    return await answer?.text() ?? "";
  }
}
