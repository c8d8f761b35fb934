/**
 * The permissions of the programs are the least that they work with: without any one of them
 * something fails that works with all.
 */

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { echo, Peer, type Service } from "../relay/peer.ts";
import { NotifySocket } from "../handover/service_manager.ts";
import { freePort } from "../support/free_port.ts";
import { isLong } from "../support/long.ts";
import { type Finished, Running, type StartOptions } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

type Name = keyof typeof PROGRAMS;

/** What a scene has: the program with some permissions, and a place of its own. */
interface Scene {
  start(args: readonly string[], options?: StartOptions): Running;
  finished(args: readonly string[], options?: StartOptions): Promise<Finished>;
  readonly directory: string;
  readonly service: Service;
}

/** Something that a program does, which fails without any one of these permissions. */
interface Deed {
  readonly what: string;
  readonly needs: Readonly<Partial<Record<"env" | "sys", string>>> & { readonly flags?: string };
  does(scene: Scene): Promise<void>;
}

/** As a process that was passed a socket, which is not there. */
const ACTIVATED = ["sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh"];

/** Not as root, who has other default directories; it may read what it could before. */
const UNPRIVILEGED = ["unshare", "--user"];

const elsewhere = Object.values(networkInterfaces()).flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;

/** Once a proxy runs that may do everything. */
async function withProxy(scene: Scene, test: (proxy: Proxy) => Promise<void>): Promise<void> {
  await using proxy = await Proxy.start(scene.service.address, {
    directory: join(scene.directory, "proxy"),
  });
  await test(proxy);
}

const DEEDS: Readonly<Record<Name, readonly Deed[]>> = {
  server: [
    {
      what: "listens",
      needs: { flags: "net" },
      async does({ start }) {
        await using server = start(["127.0.0.1:0"]);
        await server.heard(/Listening on port/);
      },
    },
    {
      what: "takes the socket that it is passed",
      needs: { env: "LISTEN_PID LISTEN_FDS" },
      async does({ finished }) {
        const { stderr } = await finished([], { through: ACTIVATED, env: { LISTEN_FDS: "1" } });
        assert.doesNotMatch(stderr, /missing argument/);
      },
    },
  ],
  client: [
    {
      what: "talks to the server of its environment",
      needs: { flags: "net", env: "HELLO_WORLD_SERVER" },
      async does({ start, service }) {
        const { port } = service.address;
        await using client = start([], { env: { HELLO_WORLD_SERVER: `127.0.0.1:${port}` } });
        await client.write("said\n");
        await client.heard(/said/, "stdout");
      },
    },
  ],
  proxy: [
    {
      what: "carries bytes with the epoll relay, and tells the service manager",
      needs: { flags: "net ffi read write", sys: "uid", env: "NOTIFY_SOCKET" },
      async does({ start, directory, service }) {
        const path = join(directory, "notify");
        using manager = new NotifySocket(path);
        const upstream = `127.0.0.1:${service.address.port}`;
        const args = ["127.0.0.1:0", upstream, "--runtime-dir", join(directory, "proxy")];
        await using proxy = start(args, { env: { NOTIFY_SOCKET: path } });
        const [, port] = await proxy.heard(/"listen":"[^"]*:(\d+)".*"relay":"epoll"|"relay":"p/);
        using client = await Peer.connect({ host: "127.0.0.1", port: Number(port) });
        await client.send("hi");
        assert.equal(await client.read(2), "hi");
        // Once it serves, it has said so.
        await manager.until(/READY=1/, 1, 0);
      },
    },
    ...(elsewhere === undefined ? [] : [{
      what: "refuses to be its own upstream, on whatever interface",
      needs: { sys: "networkInterfaces" },
      async does({ start, directory }: Scene) {
        const port = freePort();
        const args = [`0.0.0.0:${port}`, `${elsewhere}:${port}`, "--runtime-dir", directory];
        await using proxy = start(args);
        const [said] = await proxy.heard(/ is the proxy itself|Listening/);
        assert.doesNotMatch(said, /Listening/);
      },
    }]),
    {
      what: "takes the runtime directory that systemd made",
      needs: { env: "RUNTIME_DIRECTORY" },
      async does({ finished }) {
        // One that cannot be used: nothing is made elsewhere either way.
        const env = { RUNTIME_DIRECTORY: `/${"long".repeat(40)}`, XDG_RUNTIME_DIR: "/dev/null" };
        const { stderr } = await finished(["127.0.0.1:0", "127.0.0.1:9"], {
          env,
          through: UNPRIVILEGED,
        });
        assert.match(stderr, /longlong/);
      },
    },
    {
      what: "gives its lines priorities in the journal",
      needs: { env: "JOURNAL_STREAM" },
      async does({ finished }) {
        const journal = 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"';
        const { stderr } = await finished(["nowhere"], { through: ["sh", "-c", journal, "sh"] });
        assert.match(stderr, /^<3>disnix-tcp-proxy: /);
      },
    },
    {
      what: "takes the runtime directory of its user",
      needs: { env: "XDG_RUNTIME_DIR" },
      async does({ finished }) {
        const { stderr } = await finished(["127.0.0.1:0", "127.0.0.1:9"], {
          env: { XDG_RUNTIME_DIR: "/dev/null" },
          through: UNPRIVILEGED,
        });
        assert.match(stderr, /\/dev\/null/);
      },
    },
    {
      what: "takes the sockets that it is passed, by their names",
      needs: { env: "LISTEN_PID LISTEN_FDS LISTEN_FDNAMES" },
      async does({ start, directory, service }) {
        const upstream = `127.0.0.1:${service.address.port}`;
        await using proxy = start(["127.0.0.1:0", upstream, "--runtime-dir", directory], {
          through: ACTIVATED,
          env: { LISTEN_FDS: "1", LISTEN_FDNAMES: "named" },
        });
        const [said] = await proxy.heard(/descriptor 3.*|Listening/);
        assert.match(said, /named/);
      },
    },
    {
      what: "takes over from the one that started it",
      needs: { flags: "run", env: "DISNIX_TCP_PROXY_PREDECESSOR" },
      async does({ start, directory, service }) {
        const upstream = `127.0.0.1:${service.address.port}`;
        const place = ["--runtime-dir", join(directory, "proxy")];
        await using proxy = start(["127.0.0.1:0", upstream, ...place]);
        await proxy.heard(/Listening/);
        const ctl = [Deno.execPath(), "run", "--quiet", "--allow-all", "proxyctl.ts", ...place];
        await using upgrade = new Running([...ctl, "upgrade", "--json"], { cwd: ROOT });
        const { code, stdout, stderr } = await upgrade.finished();
        assert.equal(code, 0, stderr);
        Deno.kill(JSON.parse(stdout).pid.new, "SIGKILL");
      },
    },
    {
      what: "says why it cannot take over",
      needs: { env: "DISNIX_TCP_PROXY_FAILURE_FILE" },
      async does({ finished, directory }) {
        const file = join(directory, "failure");
        await Deno.writeTextFile(file, "");
        await finished(["nowhere"], { env: { DISNIX_TCP_PROXY_FAILURE_FILE: file } });
        assert.match(await Deno.readTextFile(file), /missing/);
      },
    },
  ],
  proxyctl: [
    {
      what: "finds a proxy by its environment, and has its user own a drain",
      needs: {
        flags: "net read write",
        env: "PROXYCTL_RUNTIME_DIR",
        sys: "uid gid username",
      },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          const env = { PROXYCTL_RUNTIME_DIR: proxy.directory, SUDO_USER: "" };
          const { code, stderr } = await scene.finished(["drain"], { env });
          assert.equal(code, 0, stderr);
          assert.match((await proxy.status()).owner ?? "", /^[a-z]/);
        }),
    },
    {
      what: "looks on another machine if its environment says so",
      needs: { env: "PROXYCTL_HOST" },
      async does(scene) {
        const { code } = await scene.finished(["status"], { env: { PROXYCTL_HOST: "no url" } });
        assert.equal(code, 2);
      },
    },
    {
      what: "knows who called sudo",
      needs: { env: "SUDO_USER" },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          const words = ["--runtime-dir", proxy.directory, "drain"];
          await scene.finished(words, { env: { SUDO_USER: "alice" } });
          assert.equal((await proxy.status()).owner, "alice");
        }),
    },
    {
      what: "finds the proxy of its user",
      needs: { env: "XDG_RUNTIME_DIR" },
      async does({ finished, directory, service }) {
        const place = join(directory, "disnix-tcp-proxy");
        await Deno.mkdir(place);
        await using _proxy = await Proxy.start(service.address, { directory: join(place, "8080") });
        const { code, stderr } = await finished(["--port", "8080", "status"], {
          through: UNPRIVILEGED,
          env: { XDG_RUNTIME_DIR: directory },
        });
        assert.equal(code, 0, stderr);
      },
    },
    {
      what: "runs a command while drained",
      needs: { flags: "run" },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          const words = ["--runtime-dir", proxy.directory, "with-drain", "--", "true"];
          const { code, stderr } = await scene.finished(words);
          assert.equal(code, 0, stderr);
        }),
    },
    {
      what: "drains nothing for a command that is not there",
      needs: { env: "PATH" },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          const words = ["--runtime-dir", proxy.directory, "with-drain", "--", "no-such-command"];
          const { stderr } = await scene.finished(words);
          assert.match(stderr, /no such command/);
          assert.equal((await proxy.status()).lastDrain, null);
        }),
    },
    {
      what: "knows a dumb terminal",
      needs: { env: "TERM" },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          using _active = await proxy.served();
          const words = ["--runtime-dir", proxy.directory, "drain", "--timeout", "1s"];
          const { stdout } = await scene.finished(words, {
            through: ["sh", "-c", 'exec script -qec "$*" /dev/null', "sh"],
            env: { TERM: "dumb" },
          });
          assert.match(stdout, /Draining/);
          assert.ok(!stdout.includes("\x1b"), stdout);
        }),
    },
    {
      what: "has a proxy parked",
      needs: { flags: "ffi" },
      does: (scene) =>
        withProxy(scene, async (proxy) => {
          await proxy.drain();
          const words = ["--runtime-dir", proxy.directory, "park"];
          const { code, stderr } = await scene.finished(words);
          assert.equal(code, 0, stderr);
          await proxy.resume();
        }),
    },
  ],
};

const ROOT = new URL("../../", import.meta.url).pathname;

/** Single permissions: `net`, `env=PATH`. */
function granted({ permissions }: Program): string[] {
  return permissions.flatMap((flag) => {
    const [, name = "", list] = /^--allow-(\w+)(?:=(.*))?$/.exec(flag) ?? [];
    if (name === "") return [];
    return list === undefined ? name : list.split(",").map((one) => `${name}=${one}`);
  });
}

function needed({ flags = "", ...lists }: Deed["needs"]): string[] {
  const named = Object.entries(lists).flatMap(([name, list]) =>
    (list ?? "").split(" ").map((one) => `${name}=${one}`)
  );
  return [...flags.split(" ").filter((flag) => flag !== ""), ...named];
}

/** The flags of a program without that one permission. */
function flagsWithout({ permissions }: Program, one: string | null): string[] {
  return permissions.flatMap((flag) => {
    const [, name, list] = /^--allow-(\w+)(?:=(.*))?$/.exec(flag) ?? [];
    if (name === undefined || one === null || one.split("=")[0] !== name) return flag;
    const rest = list?.split(",").filter((other) => `${name}=${other}` !== one) ?? [];
    return rest.length === 0 ? [] : `--allow-${name}=${rest.join()}`;
  });
}

async function perform(program: Program, { does }: Deed, lacking: string | null): Promise<void> {
  await using temporary = await TemporaryDirectory.make();
  await using service = await echo();
  const flags = flagsWithout(program, lacking);
  const command = [Deno.execPath(), "run", "--quiet", "--no-check", ...flags, program.script];
  const start: Scene["start"] = (args, options = {}) =>
    new Running([...options.through ?? [], ...command, ...args], { cwd: ROOT, ...options });
  const finished: Scene["finished"] = async (args, options) => {
    await using running = start(args, options);
    await running.closeStdin();
    return await running.finished();
  };
  await does({ start, finished, directory: temporary.path, service });
}

for (const [name, program] of Object.entries(PROGRAMS) as [Name, Program][]) {
  for (const deed of DEEDS[name]) {
    const tools = isLong ? without("unshare", "script") : "only with LONG";
    testWith(tools, `${name} ${deed.what}, and cannot without any of its permissions`, async () => {
      await perform(program, deed, null);
      for (const lacking of needed(deed.needs)) {
        const failed = await perform(program, deed, lacking).then(() => false, () => true);
        assert.ok(failed, `It works without ${lacking} as well`);
      }
    });
  }
}

Deno.test("the programs have no permission that nothing needs", () => {
  for (const [name, program] of Object.entries(PROGRAMS) as [Name, Program][]) {
    const all = new Set(DEEDS[name].flatMap(({ needs }) => needed(needs)));
    const idle = granted(program).filter((one) => !all.has(one));
    assert.deepEqual(elsewhere === undefined ? [] : idle, [], name);
  }
});
