import assert from "node:assert/strict";
import { parseSshHost, sshCommand } from "../../lib/control/ssh.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, complete, type Finished, Running, start } from "../support/programs.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";

Deno.test("another machine is ssh://[user@]host[:port], and nothing that ssh takes for an option", () => {
  const read = (text: string) => {
    const { user, host, port } = parseSshHost(text);
    return [user, host, port];
  };
  assert.deepEqual(read("ssh://web1"), [null, "web1", null]);
  assert.deepEqual(read("ssh://me@web1.example:2222/"), ["me", "web1.example", 2222]);
  assert.deepEqual(read("ssh://[2001:db8::1]:22"), [null, "2001:db8::1", 22]);
  for (
    const text of [
      "web1",
      "ssh://",
      "ssh://-oProxyCommand=x",
      "ssh://-l@web1",
      "ssh://me@-web1",
      "ssh://web1:0",
      "ssh://web1:70000",
      "ssh://web 1",
      "ssh://web1/path",
      "ssh://w\u00e9b",
    ]
  ) assert.throws(() => parseSshHost(text), RangeError, text);
});

Deno.test("what is run there is quoted for its shell, and names stand behind --", () => {
  const host = parseSshHost("ssh://me@web1:2222");
  const words = sshCommand(host, ["proxyctl", "--runtime-dir", "/run/a b'$(c)", "dial"]);
  assert.deepEqual(words.slice(words.indexOf("-l")), [
    ...["-l", "me", "-p", "2222", "--", "web1"],
    `proxyctl --runtime-dir '/run/a b'\\''$(c)' dial`,
  ]);
  for (const option of ["-T", "BatchMode=yes", "ServerAliveInterval=5"]) {
    assert.ok(words.includes(option), option);
  }
});

/** Where a machine is, and from where it is reached. */
interface Whereabouts {
  readonly host?: string;
  /** Words before commands that run there, and before those that run here. */
  readonly there?: readonly string[];
  readonly here?: readonly string[];
  /** Further options of the ssh here. */
  readonly options?: readonly string[];
}

/** An sshd, on loopback unless it is said where, and an ssh that trusts it. */
class Machine implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly address: string,
    private readonly here: readonly string[],
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async start(
    { host = "127.0.0.1", there = [], here = [], options = [] }: Whereabouts = {},
  ): Promise<Machine> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await TemporaryDirectory.make());
    const run = async (command: string, ...args: string[]) => {
      const { success, stderr } = await new Deno.Command(command, { args }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    };
    for (const key of ["host", "user"]) {
      await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${path}/${key}`);
    }
    const script = async (name: string, ...words: string[]) => {
      const line = words.map((word) => `'${word}'`).join(" ");
      await Deno.writeTextFile(name, `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 });
    };
    await Deno.mkdir(`${path}/there`);
    await Deno.mkdir(`${path}/here`);
    await script(`${path}/there/proxyctl`, ...commandOf("proxyctl"));
    const trust = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    const quiet = ["-o", "LogLevel=ERROR"];
    await script(
      `${path}/here/ssh`,
      "/usr/bin/ssh",
      "-F",
      "none",
      "-i",
      `${path}/user`,
      ...options,
      ...trust,
      ...quiet,
    );
    const free = await echo();
    const { port } = free.address;
    await free[Symbol.asyncDispose]();
    await Deno.writeTextFile(
      `${path}/sshd_config`,
      [
        `Port ${port}`,
        `ListenAddress ${host}`,
        `HostKey ${path}/host`,
        `AuthorizedKeysFile ${path}/user.pub`,
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        `SetEnv PATH=${path}/there:/usr/bin:/bin`,
      ].join("\n"),
    );
    // Where it gives up its privileges, if it has any.
    if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true });
    const sshd = new Running([...there, "/usr/sbin/sshd", "-D", "-e", "-f", `${path}/sshd_config`]);
    stack.use(sshd);
    await sshd.heard(/Server listening/);
    return new Machine(path, `${host}:${port}`, here, stack.move());
  }

  get url(): string {
    return `ssh://${this.address}`;
  }

  /** Waits until it can be reached: a link that is up again takes a moment. */
  async reached(): Promise<void> {
    const target = `/dev/tcp/${this.address.replace(":", "/")}`;
    const command = [...this.here, "bash", "-c", `exec 3<>${target}`];
    await until(() => new Running(command).finished(), ({ code }) => code === 0);
  }

  get env(): Record<string, string> {
    return { PATH: `${this.directory}/here:${Deno.env.get("PATH")}` };
  }

  ctl(...args: string[]): Promise<Finished> {
    const { env, here: through } = this;
    return complete("proxyctl", ["--host", this.url, ...args], { env, through });
  }

  startCtl(...args: string[]): Running {
    const { env, here: through } = this;
    return start("proxyctl", ["--host", this.url, ...args], { env, through });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack[Symbol.asyncDispose]();
  }
}

/** Why there can be no networks of our own; `null` if there can. */
function whyNoNetworks(): string | null {
  const { success } = new Deno.Command("unshare", { args: ["--net", "true"] }).outputSync();
  return success ? null : "no networks of our own";
}

/** Two networks with a link between them. */
class Link implements AsyncDisposable {
  readonly address = "10.91.0.2";
  readonly here: readonly string[];
  readonly there: readonly string[];

  private constructor(private readonly stack: AsyncDisposableStack, here: number, there: number) {
    [this.here, this.there] = [enter(here), enter(there)];
  }

  static async make(): Promise<Link> {
    await using stack = new AsyncDisposableStack();
    const network = async () => {
      const command = ["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec cat"];
      const keeper = stack.use(new Running(command));
      await keeper.heard(/up/, "stdout");
      return keeper.pid;
    };
    const [here, there] = [await network(), await network()];
    const link = new Link(stack.move(), here, there);
    const made = ["ip", "link", "add", "end", "type", "veth", "peer", "name", "end", "netns"];
    await succeed(...link.here, ...made, `${there}`);
    await succeed(...link.here, "ip", "address", "add", "10.91.0.1/24", "dev", "end");
    await succeed(...link.there, "ip", "address", "add", `${link.address}/24`, "dev", "end");
    await succeed(...link.here, "ip", "link", "set", "end", "up");
    await link.set("up");
    return link;
  }

  async set(state: "up" | "down"): Promise<void> {
    await succeed(...this.there, "ip", "link", "set", "end", state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack[Symbol.asyncDispose]();
  }
}

function enter(pid: number): string[] {
  return ["nsenter", `--target=${pid}`, "--net"];
}

async function succeed(...command: string[]): Promise<void> {
  const { code, stderr } = await new Running(command).finished();
  assert.equal(code, 0, stderr);
}

const noSshd = [without("ssh"), without("ssh-keygen"), await whyNoSshd()].find(Boolean) ?? null;

async function whyNoSshd(): Promise<string | null> {
  const there = await Deno.stat("/usr/sbin/sshd").catch(() => null);
  return there === null ? "no /usr/sbin/sshd" : null;
}

testWith(
  onlyForLong ?? noSshd,
  "over ssh a proxy is drained, resumed and asked, and what fails names the machine",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    await using local = await Proxy.start(service.address);
    await using machine = await Machine.start();
    const name = ["--runtime-dir", proxy.directory];
    const status = await machine.ctl(...name, "status", "--json");
    assert.equal(status.code, 0, status.stderr);
    assert.equal(JSON.parse(status.stdout).pid, proxy.process.pid);

    const run = ["with-drain", "--", "sh", "-c", "echo ready; read -r line"];
    const both = [...name, "--runtime-dir", local.directory];
    await using running = machine.startCtl(...both, ...run);
    await running.heard(/ready/, "stdout");
    assert.deepEqual([(await proxy.status()).state, (await local.status()).state], [
      "drained",
      "drained",
    ]);
    await running.write("\n");
    const { code, stderr } = await running.finished();
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(`${machine.url} ${proxy.directory}: Resumed; nobody was held\n`));
    assert.equal((await proxy.status()).state, "open");

    const kill = await machine.ctl(...name, "kill", "12345", "--json");
    assert.equal(kill.code, 8);
    assert.equal(JSON.parse(kill.stdout).error.code, "no_such_connection");
    assert.ok(kill.stderr.startsWith(`proxyctl: ${machine.url} ${proxy.directory}: There is no`));
    const nobody = await machine.ctl("--runtime-dir", "/nobody", "status");
    assert.equal(nobody.code, 3);
    assert.equal(nobody.stderr, `proxyctl: ${machine.url} /nobody: No proxy runs at /nobody\n`);
    const parked = await machine.ctl(...name, "park");
    assert.deepEqual([parked.code, (await proxy.status()).state], [1, "open"]);

    // The drain is as good as who waits for it.
    using _client = await proxy.served();
    await using waiting = machine.startCtl(...name, "drain", "--timeout", "none");
    await waiting.heard(/Draining/);
    waiting.kill("SIGKILL");
    await proxy.logged("resume", 2);
    assert.equal(proxy.log("resume")[1]?.["cause"], "cancelled");

    const key = await Deno.readTextFile(`${machine.directory}/user.pub`);
    const forced = `restrict,command="proxyctl dial --runtime-dir ${proxy.directory}" ${key}`;
    await Deno.writeTextFile(`${machine.directory}/user.pub`, forced);
    const only = await machine.ctl("status", "--json");
    assert.deepEqual([only.code, JSON.parse(only.stdout).pid], [0, proxy.process.pid], only.stderr);
    await Deno.writeTextFile(`${machine.directory}/user.pub`, key);

    const list = await machine.ctl("list", "--json");
    assert.ok(list.code === 0 && Array.isArray(JSON.parse(list.stdout)), list.stderr);

    // What ssh says of itself is never taken for "no proxy runs there".
    await Deno.remove(`${machine.directory}/there/proxyctl`);
    const missing = await machine.ctl(...name, "status");
    assert.equal(missing.code, 1);
    assert.match(
      missing.stderr,
      /^proxyctl: ssh:\/\/\S+ \S+: There is no proxyctl there: [^\n]+\n$/,
    );
    await Deno.remove(`${machine.directory}/user.pub`);
    const denied = await machine.ctl(...name, "status");
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /^proxyctl: ssh:\/\/\S+ \S+: ssh failed: [^\n]*denied[^\n]*\n$/);
  },
);

testWith(
  onlyForLong ?? noSshd ?? without("unshare", "nsenter", "ip", "bash") ?? whyNoNetworks(),
  "where the network falls silent, a drain there ends at its deadline or with its lease, it fails here, and nothing is lost once it speaks again",
  async () => {
    await using link = await Link.make();
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    // More often than it would by itself, so that it notices sooner.
    const options = ["-o", "ServerAliveInterval=1", "-o", "LogLevel=INFO"];
    await using machine = await Machine.start({ ...link, host: link.address, options });
    // Those who are asked there end only once they hear that nobody is here any more.
    await using _speaks = { [Symbol.asyncDispose]: () => link.set("up") };
    const name = ["--runtime-dir", proxy.directory];
    const resumed = async (count: number) => {
      await proxy.logged("resume", count);
      return proxy.log("resume").map(({ cause }) => cause);
    };
    const failed = `proxyctl: ${machine.url} ${proxy.directory}: ssh failed: `;
    const active = await proxy.served();
    await using draining = machine.startCtl(...name, "drain", "--timeout", "6s");
    await draining.heard(/Draining/);
    const held = await proxy.connect();
    await held.send("held");
    await link.set("down");
    const drain = await draining.finished();
    assert.equal(drain.code, 1);
    assert.ok(drain.stderr.includes(`${failed}Timeout, server`), drain.stderr);
    assert.equal(await held.read(4), "held");
    assert.deepEqual(await resumed(1), ["deadline"]);
    await active.send("still");
    assert.equal(await active.read(5), "still");
    active.finish();
    held.finish();
    await proxy.until(({ active }) => active === 0);
    await link.set("up");
    await machine.reached();
    const command = ["with-drain", "--lease", "6s", "--", "sh", "-c", "echo ready; read -r line"];
    await using running = machine.startCtl(...name, ...command);
    await running.heard(/ready/, "stdout");
    const waits = await proxy.connect();
    await waits.send("waits");
    await link.set("down");
    assert.equal(await waits.read(5), "waits");
    assert.deepEqual(await resumed(2), ["deadline", "lease"]);
    await running.write("\n");
    const { code, stderr } = await running.finished();
    assert.equal(code, 9);
    assert.match(stderr, /The drain ended while the command was still running: ssh:.*: Timeout/);
    await link.set("up");
    await machine.reached();
    const status = await machine.ctl(...name, "status", "--json");
    assert.equal(JSON.parse(status.stdout).state, "open", status.stderr);
    waits.finish();
  },
);

testWith(
  noSshd,
  "$PROXYCTL_HOST says where, and a name that ssh would misread is bad usage",
  async () => {
    const env = { PROXYCTL_HOST: "ssh://-oProxyCommand=false" };
    const wrong = await complete("proxyctl", ["status"], { env });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^proxyctl: \$PROXYCTL_HOST: "ssh:\/\/-o[^\n]+option\n$/);
    const refused = await complete("proxyctl", ["status"], {
      env: { PROXYCTL_HOST: "ssh://127.0.0.1:1" },
    });
    assert.deepEqual(refused.code, 1);
    assert.match(refused.stderr, /^proxyctl: ssh:\/\/127\.0\.0\.1:1: ssh failed: /);
  },
);
