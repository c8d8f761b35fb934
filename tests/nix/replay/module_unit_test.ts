import assert from "node:assert/strict";
import { join } from "node:path";
import type { Status } from "../../../lib/control/api.ts";
import { Peer } from "../../relay/peer.ts";
import { freePort } from "../../support/free_port.ts";
import { AnotherUser, noOtherUser } from "../../support/another_user.ts";
import { start } from "../../support/programs.ts";
import { onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { moduleWith, Nix } from "../nix.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("systemd-unit") ?? noOtherUser();

const UNIT = "disnix-tcp-proxy-web";

/** Some user that every system has, besides root. */
const USER = "daemon";

/** What the module makes of an instance. */
interface Made {
  readonly services: Record<string, { readonly serviceConfig: Settings }>;
  readonly sockets: Record<string, { readonly socketConfig: Settings }>;
}

type Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The module's proxy as a unit of a systemd, sandbox and all, in front of a server. */
class Web implements AsyncDisposable {
  readonly address = { host: "127.0.0.1", port: freePort() };

  private constructor(
    readonly machine: Machine,
    private readonly nix: Nix,
    /** What every unit of a test has besides. */
    private readonly besides: Settings,
    private readonly stack: AsyncDisposableStack,
  ) {}

  /** @param options of the instance, in Nix */
  static async start(options: string): Promise<Web> {
    await using stack = new AsyncDisposableStack();
    const user = stack.use(await AnotherUser.make());
    const machine = stack.use(await Machine.start("systemd-unit", { home: user }));
    const nix = stack.use(await Nix.start());
    await Deno.chmod(nix.directory, 0o755);
    const upstream = freePort();
    const server = stack.use(start("server", [`127.0.0.1:${upstream}`]));
    await server.heard(/Listening/);
    const besides = {
      Environment: `DENO_DIR=${user.cache}`,
      // What a test starts is there.
      PrivateTmp: false,
      ProtectHome: false,
    };
    const web = new Web(machine, nix, besides, stack.move());
    const systemd = `(${
      moduleWith(`web = {
        listen = "127.0.0.1:${web.address.port}";
        upstream = "127.0.0.1:${upstream}";
        package = { outPath = "${machine.programs}"; };
        user = "${USER}";
        group = "${USER}";
        ${options}
      };`)
    }).systemd`;
    await nix.build(`${systemd}.services.${UNIT}.serviceConfig.ExecReload`);
    const { services, sockets } = await nix.evaluate(
      `{ inherit (${systemd}) services sockets; }`,
    ) as Made;
    const units = join(machine.directory, "units");
    await web.write(UNIT, services[UNIT]?.serviceConfig);
    const socket = sockets[UNIT]?.socketConfig;
    if (socket !== undefined) {
      await Deno.writeTextFile(join(units, `${UNIT}.socket`), section("Socket", socket));
    }
    await web.systemctl("daemon-reload");
    await web.systemctl("start", socket === undefined ? UNIT : `${UNIT}.socket`);
    return web;
  }

  /** Starts the page for those who know this password. @returns the name of its unit */
  async startPage(listen: string, password: string): Promise<string> {
    const passwordFile = join(this.machine.directory, "password");
    await Deno.writeTextFile(passwordFile, password, { mode: 0o600 });
    const name = "disnix-tcp-proxy-page";
    const config = await this.nix.evaluate(
      `((import (root + "/tests/nix/stub/module.nix")).evaluate {
      module = import (root + "/nix/page.nix");
      pkgs = stub;
      service = "${name}";
      instances = {
        listen = "${listen}";
        passwordFile = "${passwordFile}";
        controlGroups = [ "${USER}" ];
        package = { outPath = "${this.machine.programs}"; };
      };
    }).systemd.services.${name}.serviceConfig`,
    ) as Settings;
    // One that is made up has a folder for temporary files of its own, without what a test starts.
    await this.write(name, { ...config, DynamicUser: false, User: "nobody" });
    await this.systemctl("daemon-reload");
    await this.systemctl("start", name);
    return name;
  }

  /** Writes a unit. */
  async write(name: string, service: Settings | undefined): Promise<void> {
    const path = join(this.machine.directory, "units", `${name}.service`);
    await Deno.writeTextFile(path, section("Service", { ...service, ...this.besides }));
  }

  async systemctl(...args: string[]): Promise<string> {
    return await this.#done(["systemctl", ...args]);
  }

  /** As root. */
  async proxyctl(...args: string[]): Promise<string> {
    const { port } = this.address;
    const program = join(this.machine.programs, "bin/proxyctl");
    return await this.#done([program, "--runtime-dir", `/run/disnix-tcp-proxy/${port}`, ...args]);
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.proxyctl("status", "--json"));
  }

  /** A client that was answered. */
  async served(): Promise<Peer> {
    const client = this.stack.use(await Peer.connect(this.address));
    await assertServed(client);
    return client;
  }

  async isListening(): Promise<boolean> {
    return await Peer.connect(this.address).then((peer) => {
      peer[Symbol.dispose]();
      return true;
    }, () => false);
  }

  async #done(command: readonly string[]): Promise<string> {
    await using running = await this.machine.run(command);
    const { code, stdout, stderr } = await running.finished();
    assert.equal(code, 0, `${command.join(" ")}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

function section(name: string, settings: Settings): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    [value].flat().map((one) => `${key}=${one}\n`)
  );
  return `[${name}]\n${lines.join("")}`;
}

async function assertServed(client: Peer): Promise<void> {
  await client.send("hello\n");
  assert.equal(await client.read(14), "Hello world!\r\n");
}

testWith(
  onlyForLong ?? no,
  "the module's unit is reloaded under a client, which may finish when it is stopped",
  async () => {
    await using web = await Web.start(`controlGroup = "${USER}";`);
    const client = await web.served();
    const { pid } = await web.status();
    await web.systemctl("reload", UNIT);
    assert.notEqual((await web.status()).pid, pid);
    await assertServed(client);
    const stopping = web.systemctl("stop", UNIT);
    await until(() => web.isListening(), (is) => !is);
    await assertServed(client);
    client.finish();
    assert.equal(await client.rest(), "");
    await stopping;
    assert.equal(await web.systemctl("show", "--property=Result", UNIT), "Result=success");
  },
);

testWith(
  onlyForLong ?? no,
  "the module's unit, started by its socket, is parked and restarted, and nobody notices",
  async () => {
    await using web = await Web.start("socketActivation = true;");
    const early = await web.served();
    early.finish();
    assert.equal(await early.rest(), "");
    await web.proxyctl("drain");
    using held = await Peer.connect(web.address);
    await web.proxyctl("park");
    await web.systemctl("restart", UNIT);
    await web.proxyctl("resume");
    await assertServed(held);
    const crowd = await Promise.all(Array.from({ length: 40 }, () => web.served()));
    await assertServed(held);
    for (const client of [...crowd, held]) client.finish();
    for (const client of [...crowd, held]) assert.equal(await client.rest(), "");
    await web.systemctl("stop", UNIT);
    assert.equal(await web.systemctl("show", "--property=Result", UNIT), "Result=success");
  },
);

testWith(
  onlyForLong ?? no,
  "the page's unit shows the module's proxies to those who know the password",
  async () => {
    await using web = await Web.start(`controlGroup = "${USER}";`);
    const listen = `127.0.0.1:${freePort()}`;
    const unit = await web.startPage(listen, "ann:secret\n");
    const ask = (headers: Record<string, string> = {}) =>
      fetch(`http://${listen}/v1/proxies`, { headers }).then(
        async (answer) => ({ status: answer.status, text: await answer.text() }),
        () => null,
      );
    assert.equal((await until(() => ask(), (answer) => answer !== null))?.status, 401);
    const { text = "" } = await ask({ authorization: `Basic ${btoa("ann:secret")}` }) ?? {};
    const { proxies } = JSON.parse(text) as { proxies: { status: Status }[] };
    assert.deepEqual(proxies.map(({ status }) => status.pid), [(await web.status()).pid]);
    await web.systemctl("stop", unit);
    assert.equal(await web.systemctl("show", "--property=Result", unit), "Result=success");
  },
);
