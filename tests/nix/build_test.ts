import assert from "node:assert/strict";
import { join } from "node:path";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { readExecutable } from "../packaging/executable.ts";
import { onlyForLong } from "../support/long.ts";
import { isThere } from "../support/tools.ts";
import {
  deploymentOf,
  managedBy,
  type Models,
  type Nix,
  PROCESS_TYPES,
  processmgmt,
  testNix,
  whyNoBuilds,
} from "./nix.ts";

const missing = whyNoBuilds();
const managers = Object.keys(PROCESS_TYPES) as (keyof typeof PROCESS_TYPES)[];

const PACKAGE = 'stub.callPackage (root + "/nix/package.nix") { }';
const withProxy = { services: "services-with-proxy", distribution: "distribution-with-proxy" };

/** Where the wrapper says that the log is. */
const LOGS: Record<keyof typeof PROCESS_TYPES, string> = {
  bsdrc: "/tmp/nixproc-disnix-tcp-proxy-3000.log",
  cygrunsrv: "/var/log/disnix-tcp-proxy-3000.log",
  disnix: "/tmp/nixproc-disnix-tcp-proxy-3000.log",
  docker: "docker logs dysnomia-disnix-tcp-proxy-3000 (gone with the container)",
  launchd: "/var/log/disnix-tcp-proxy-3000.log",
  "s6-rc": "/var/log/s6-log/disnix-tcp-proxy-3000/current",
  supervisord: "/var/log/disnix-tcp-proxy-3000.log",
  systemd: "journalctl -u nix-process-disnix-tcp-proxy-3000",
  sysvinit: "/tmp/nixproc-disnix-tcp-proxy-3000.log",
};

/** Builds the components of models. @returns their store paths by the names of the services */
async function components(nix: Nix, models: Models): Promise<Record<string, string>> {
  const deployment = deploymentOf(models);
  const paths = await nix.evaluate(
    `builtins.mapAttrs (_: service: "\${service.component}") (${deployment})`,
  );
  await nix.build(`builtins.mapAttrs (_: service: service.component) (${deployment})`);
  return paths as Record<string, string>;
}

function read(...path: string[]): Promise<string> {
  return Deno.readTextFile(join(...path));
}

async function run(command: string, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], env })
    .output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function assertIsProgram(path: string): Promise<void> {
  assert.equal((await Deno.stat(path)).mode! & 0o111, 0o111, `${path} can be executed`);
  assert.match(await read(path), /^#!\/bin\/bash/);
  const { code, stderr } = await run("bash", ["-n", path]);
  assert.equal(code, 0, stderr);
}

/** A line of a unit or the like, `KEY=…`. */
function setting(text: string, key: string): string | undefined {
  return text.split("\n").find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
}

/** The script that starts a process of Dysnomia's, whose end is noticed if it fails. */
function startOf(config: string): string {
  const [, path = ""] = /^"eval (\S+) \|\| exit 1"$/.exec(setting(config, "process") ?? "") ?? [];
  return path;
}

testNix(
  onlyForLong ?? missing,
  "the package has the four executables, the same at each build",
  async (nix) => {
    // This downloads the libraries, and compares their hash with that in package.nix.
    const [path = ""] = await nix.build(PACKAGE);
    const names = [...Deno.readDirSync(join(path, "bin"))].map(({ name }) => name);
    assert.deepEqual(
      names.sort(),
      Object.values(PROGRAMS).map(({ executable }) => executable).sort(),
    );
    for (
      const completions of [
        "bash-completion/completions/proxyctl",
        "zsh/site-functions/_proxyctl",
        "fish/vendor_completions.d/proxyctl.fish",
      ]
    ) {
      assert.match(await read(path, "share", completions), /^#.*proxyctl/);
    }
    for (const { script, executable } of Object.values(PROGRAMS)) {
      assert.match(await read(path, "share/man/man1", `${executable}.1`), /^\.TH .* 1 "/);
      const { metadata } = await readExecutable(join(path, "bin", executable));
      assert.equal(metadata.entrypoint_key, script.replace(/ts$/, "js"));
    }
    await nix.build(PACKAGE, ["--check"]);
  },
);

testNix(
  onlyForLong ?? missing,
  "the simple deployment: daemons with a PID file and a log",
  async (nix, t) => {
    const { hello_world_client, hello_world_server, disnix_tcp_proxy } = await components(nix, {
      deployment: "deployment-simple",
      ...withProxy,
      parameters: 'stateDir = "/home/alice/var";',
    });
    assert.ok(hello_world_client && hello_world_server && disnix_tcp_proxy);

    await t.step("the server", async () => {
      const name = "hello-world-server-3001";
      const config = await read(hello_world_server, "etc/dysnomia/process", name);
      assert.match(
        setting(config, "pidFile") ?? "",
        new RegExp(`^/home/alice/var/run/${name}-[0-9a-f]{8}\\.pid$`),
      );
      const start = startOf(config);
      await assertIsProgram(start);
      const text = await read(start);
      assert.match(text, /--output \/home\/alice\/var\/log\/hello-world-server-3001\.log/);
      assert.match(text, /bin\/hello-world-server '3001'/);
    });

    await t.step("the proxy", async () => {
      const name = "disnix-tcp-proxy-3000";
      const config = await read(disnix_tcp_proxy, "etc/dysnomia/process", name);
      const start = startOf(config);
      await assertIsProgram(start);
      const text = await read(start);
      const directory = "/home/alice/var/run/disnix-tcp-proxy/3000";
      assert.match(text, new RegExp(`install -d -m 0700 ${directory}\n`));
      assert.match(
        text,
        new RegExp(
          `disnix-tcp-proxy '--runtime-dir' '${directory}' '--connect-timeout' '10s' ` +
            "'--stop-timeout' '10s' '3000' '127.0.0.1:3001'\n",
        ),
      );
    });

    await t.step("the wrapper", async () => {
      await assertIsProgram(join(disnix_tcp_proxy, "bin/wrapper"));
      await assertIsProgram(join(disnix_tcp_proxy, "libexec/wrapper"));
      const text = await read(disnix_tcp_proxy, "libexec/wrapper");
      assert.match(text, /directory='\/home\/alice\/var\/run\/disnix-tcp-proxy\/3000'/);
      assert.match(text, /log='\/home\/alice\/var\/log\/disnix-tcp-proxy-3000\.log'/);
    });

    await t.step("the client knows the proxy", async () => {
      const client = join(hello_world_client, "bin/hello-world-client");
      await assertIsProgram(client);
      assert.match(await read(client), /:-127\.0\.0\.1:3000\}/);
    });
  },
);

testNix(
  onlyForLong ?? missing,
  "the client goes where it was built for, or where it is told",
  async (nix) => {
    const [path = ""] = await nix.build(`
    stub.callPackage (root + "/nix/pkgs/hello-world-client") {
      programs = stub.runCommand "programs" { } ''
        mkdir -p $out/bin
        printf '#!/bin/sh\\necho "$HELLO_WORLD_SERVER" "$@"\\n' > $out/bin/hello-world-client
        chmod +x $out/bin/hello-world-client
      '';
    } { hello_world_server = { target.properties.hostname = "test1"; port = 3000; }; }`);
    const client = join(path, "bin/hello-world-client");
    const said = async (args: string[], env = {}) => (await run(client, args, env)).stdout.trim();
    assert.equal(await said([]), "test1:3000");
    assert.equal(await said([], { HELLO_WORLD_SERVER: "test2:1" }), "test2:1");
    assert.equal(await said(["test3:1"]), "test1:3000 test3:1");
  },
);

testNix(
  onlyForLong ?? missing,
  "every process manager gets its files and the wrapper",
  async (nix, t) => {
    const all = managers.map((manager) =>
      deploymentOf({ deployment: "deployment", ...withProxy, parameters: managedBy(manager) })
    );
    const built = await nix.build(
      `map (services: services.disnix_tcp_proxy.component) [ ${
        all.map((one) => `(${one})`).join(" ")
      } ]`,
    );
    assert.equal(built.length, managers.length);
    for (const [index, manager] of managers.entries()) {
      await t.step(manager, async () => {
        const disnix_tcp_proxy = built[index] ?? "";
        await assertIsProgram(join(disnix_tcp_proxy, "bin/wrapper"));
        const wrapper = join(disnix_tcp_proxy, "libexec/wrapper");
        await assertIsProgram(wrapper);
        const text = await read(wrapper);
        assert.match(text, new RegExp(`module_type='${PROCESS_TYPES[manager]}'`));
        assert.equal(/^readonly log='(.*)'$/m.exec(text)?.[1], LOGS[manager]);
        await assert.rejects(
          Deno.lstat(join(disnix_tcp_proxy, "dysnomia-support")),
          Deno.errors.NotFound,
          "Dysnomia deletes no users",
        );
      });
    }
  },
);

testNix(
  onlyForLong ?? missing,
  "an ordinary user's daemons have their logs with the others",
  async (nix) => {
    const { disnix_tcp_proxy = "", hello_world_server = "" } = await components(nix, {
      deployment: "deployment",
      ...withProxy,
      parameters: managedBy("disnix", 'stateDir = "/home/alice"; forceDisableUserChange = true;'),
    });
    assert.match(
      await read(disnix_tcp_proxy, "libexec/wrapper"),
      /log='\/home\/alice\/log\/nixproc-disnix-tcp-proxy-3000\.log'/,
    );
    const config = await read(hello_world_server, "etc/dysnomia/process/hello-world-server-3001");
    await assertIsProgram(startOf(config));
  },
);

testNix(onlyForLong ?? missing, "the unit for systemd", async (nix, t) => {
  const file = "etc/systemd/system/nix-process-disnix-tcp-proxy-3000.service";
  const unitWith = async (parameters: string) => {
    const { disnix_tcp_proxy } = await components(nix, {
      deployment: "deployment",
      ...withProxy,
      parameters: managedBy("systemd", parameters),
    });
    return { component: disnix_tcp_proxy ?? "", unit: await read(disnix_tcp_proxy ?? "", file) };
  };

  await t.step("has a user and a sandbox", async () => {
    const { component, unit } = await unitWith("");
    assert.equal(setting(unit, "User"), "disnix-tcp-proxy-3000");
    assert.equal(setting(unit, "Type"), "notify");
    assert.equal(setting(unit, "NotifyAccess"), "all");
    assert.equal(setting(unit, "RuntimeDirectory"), "disnix-tcp-proxy/3000");
    assert.equal(setting(unit, "RuntimeDirectoryPreserve"), "yes");
    assert.equal(setting(unit, "NoNewPrivileges"), "1");
    assert.equal(setting(unit, "ProtectSystem"), "strict");
    assert.match(
      setting(unit, "ExecReload") ?? "",
      /bin\/proxyctl --runtime-dir \/var\/run\/disnix-tcp-proxy\/3000 upgrade$/,
    );
    for (const never of ["DynamicUser", "PrivateUsers", "MemoryDenyWriteExecute", "ExecStartPre"]) {
      assert.equal(setting(unit, never), undefined, never);
    }
    assert.equal(
      await read(component, "credentials/dysnomia-support/users/disnix-tcp-proxy-3000"),
      "group=disnix-tcp-proxy-3000\n",
    );
  });

  await t.step("of an ordinary user has neither, and its directory is made before", async () => {
    const { unit } = await unitWith('forceDisableUserChange = true; stateDir = "/home/alice";');
    assert.equal(setting(unit, "User"), undefined);
    assert.equal(setting(unit, "ProtectSystem"), undefined);
    assert.equal(setting(unit, "RuntimeDirectory"), undefined);
    assert.equal(setting(unit, "Type"), "notify");
    const prepare = await read(setting(unit, "ExecStartPre") ?? "");
    assert.match(prepare, /install -d -m 0700 \/home\/alice\/run\/disnix-tcp-proxy\/3000\n/);
  });

  await t.step("of root elsewhere has a user, for whom the directory is made", async () => {
    const { unit } = await unitWith('stateDir = "/srv";');
    assert.equal(setting(unit, "User"), "disnix-tcp-proxy-3000");
    assert.equal(setting(unit, "ProtectSystem"), undefined);
    const prepare = setting(unit, "ExecStartPre") ?? "";
    assert.equal(prepare[0], "+", "it is run by root");
    assert.match(
      await read(prepare.slice(1)),
      /install -d -m 0700 -o disnix-tcp-proxy-3000 -g disnix-tcp-proxy-3000 \/srv\/run\//,
    );
  });

  await t.step("is understood by systemd", async () => {
    if (!isThere("systemd-analyze")) return;
    const { component } = await unitWith("");
    const { stderr } = await run("systemd-analyze", [
      "verify",
      "--recursive-errors=no",
      join(component, file),
    ]);
    assert.doesNotMatch(stderr, /Unknown|Failed to parse|Invalid|ignoring/i, stderr);
  });
});

testNix(
  onlyForLong ?? missing,
  "socket activation: the socket belongs to the service",
  async (nix) => {
    const { hello_world_server = "" } = await components(nix, {
      deployment: "deployment",
      services: "services-with-socketactivation",
      distribution: "distribution-without-proxy",
      parameters: processmgmt,
    });
    const units = join(hello_world_server, "etc/systemd/system");
    const name = "nix-process-hello-world-server-3001";
    const socket = await read(units, `${name}.socket`);
    assert.equal(setting(socket, "ListenStream"), "3001");
    const service = await read(units, `${name}.service`);
    assert.match(setting(service, "ExecStart") ?? "", /'--exit-when-idle' '30s' '3001'$/);
  },
);

testNix(
  onlyForLong ?? missing,
  "durations and the like of a package are those of its proxy and its wrapper",
  async (nix) => {
    const [path = ""] = await nix.build(`
    let packages = import (root + "/nix/deployment-simple/top-level/all-packages.nix") {
      inherit (stub) system;
      pkgs = stub;
      runtimeDir = "/run";
      logDir = "/var/log";
      programs = "/programs";
    }; in packages.disnix_tcp_proxy {
      port = 8080;
      processType = "process";
      drainTimeout = "1h";
      lease = "2h";
      parkTime = "3m";
      waitUpstream = "4m";
      connectTimeout = "20s";
      stopTimeout = "1m30s";
      suspendQuiet = "200ms";
      abortOnClose = true;
      sendProxy = "v1";
      acceptProxy = [ "10.0.0.0/8" ];
    } { hello_world_server = { target.properties.hostname = "::1"; port = 1; }; }`);
    const wrapper = await read(path, "libexec/wrapper");
    assert.match(wrapper, /drain_timeout='1h'/);
    assert.match(wrapper, /lease='2h'/);
    assert.match(wrapper, /park_time='3m'/);
    assert.match(wrapper, /wait_upstream='4m'/);
    const config = await read(path, "etc/dysnomia/process/disnix-tcp-proxy-8080");
    const start = await read(startOf(config));
    assert.match(
      start,
      /'--connect-timeout' '20s' '--stop-timeout' '1m30s' '--suspend-quiet' '200ms' '--abort-on-close' '--send-proxy' 'v1' '--accept-proxy' '10\.0\.0\.0\/8' '8080' '\[::1\]:1'/,
    );
  },
);

testNix(
  onlyForLong ?? missing,
  "the wrapper makes the user, which Dysnomia must not delete",
  async (nix) => {
    const [path = ""] = await nix.build(`
    let packages = import (root + "/nix/deployment/top-level/all-packages.nix") {
      inherit (stub) system;
      pkgs = stub // {
        dysnomia = stub.runCommand "dysnomia" { } ''
          mkdir -p $out/bin
          for name in addgroups addusers delgroups delusers; do
            printf '#!/bin/sh\\necho "%s $*"\\n' $name > $out/bin/dysnomia-$name
          done
          chmod +x $out/bin/*
        '';
      };
      stateDir = "/var";
      runtimeDir = "/run";
      logDir = "/var/log";
      tmpDir = "/tmp";
      forceDisableUserChange = false;
      processManager = "sysvinit";
      ${processmgmt}
      programs = "/programs";
    }; in packages.disnix_tcp_proxy { port = 80; processType = "sysvinit-script"; }
      { hello_world_server = { target.properties.hostname = "test1"; port = 1; }; }`);
    const wrapper = join(path, "bin/wrapper");
    const credentials = join(path, "credentials");
    const { stdout: activated } = await run(wrapper, ["activate", "wrapper"]);
    assert.equal(activated, `addgroups ${credentials}\naddusers ${credentials}\n`);
    const { stdout: deactivated } = await run(wrapper, ["deactivate", "wrapper"]);
    assert.equal(deactivated, "");
  },
);
