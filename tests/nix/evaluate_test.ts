import assert from "node:assert/strict";
import { onlyForLong } from "../support/long.ts";
import { isThere } from "../support/tools.ts";
import {
  deploymentOf,
  managedBy,
  type Models,
  moduleWith,
  type Nix,
  PROCESS_TYPES,
  processmgmt,
  testNix,
  whyNoNix,
} from "./nix.ts";

const missing = whyNoNix();
const managers = Object.keys(PROCESS_TYPES) as (keyof typeof PROCESS_TYPES)[];

const withProxy = { services: "services-with-proxy", distribution: "distribution-with-proxy" };
const withoutProxy = {
  services: "services-without-proxy",
  distribution: "distribution-without-proxy",
};

/** The types of the services, and the names of their components. */
async function services(nix: Nix, models: Models): Promise<Record<string, unknown>> {
  const expression = `builtins.mapAttrs (_: { type, component }:
    [ type component.name (builtins.seq component.drvPath true) ]) (${deploymentOf(models)})`;
  return await nix.evaluate(expression) as Record<string, unknown>;
}

testNix(missing, "the simple deployment evaluates", async (nix) => {
  const common = {
    hello_world_client: ["package", "hello-world-client", true],
    hello_world_server: ["process", "hello-world-server-3001", true],
  };
  assert.deepEqual(
    await services(nix, { deployment: "deployment-simple", ...withoutProxy }),
    common,
  );
  assert.deepEqual(
    await services(nix, { deployment: "deployment-simple", ...withProxy }),
    { ...common, disnix_tcp_proxy: ["wrapper", "disnix-tcp-proxy-3000", true] },
  );
});

testNix(
  onlyForLong ?? missing,
  "the other one evaluates for every process manager",
  async (nix, t) => {
    for (const manager of managers) {
      await t.step(manager, async () => {
        const prefix = manager === "systemd" ? "nix-process-" : "";
        const common = {
          hello_world_client: ["package", "hello-world-client", true],
          hello_world_server: [PROCESS_TYPES[manager], `${prefix}hello-world-server-3001`, true],
        };
        const parameters = managedBy(manager);
        assert.deepEqual(
          await services(nix, { deployment: "deployment", ...withoutProxy, parameters }),
          common,
        );
        assert.deepEqual(
          await services(nix, { deployment: "deployment", ...withProxy, parameters }),
          { ...common, disnix_tcp_proxy: ["wrapper", `${prefix}disnix-tcp-proxy-3000`, true] },
        );
      });
    }
  },
);

testNix(onlyForLong ?? missing, "socket activation evaluates", async (nix) => {
  const models: Models = {
    deployment: "deployment",
    services: "services-with-socketactivation",
    distribution: "distribution-without-proxy",
    parameters: processmgmt,
  };
  assert.deepEqual(await services(nix, models), {
    hello_world_client: ["package", "hello-world-client", true],
    hello_world_server: ["systemd-unit", "nix-process-hello-world-server-3001", true],
  });
});

for (const deployment of ["deployment", "deployment-simple"]) {
  testNix(
    onlyForLong ?? missing,
    `${deployment}: the models of the network evaluate`,
    async (nix) => {
      const models = `let models = root + "/nix/${deployment}/DistributedDeployment"; in`;
      assert.deepEqual(
        await nix.evaluate(`${models} builtins.mapAttrs
        (_: machine: (machine { pkgs = stub; }).services.disnix.enable)
        (import (models + "/network.nix"))`),
        { test1: true, test2: true },
      );
      assert.deepEqual(
        await nix.evaluate(`${models} builtins.mapAttrs
        (_: machine: machine.deployment.targetEnv) (import (models + "/network-virtualbox.nix"))`),
        { test1: "virtualbox", test2: "virtualbox" },
      );
      assert.equal(
        await nix.evaluate(`${models}
        let
          inherit (import (models + "/idresources.nix")) ports;
          inherit (import (models + "/ids.nix")) ids lastAssignments;
        in builtins.all (port: port >= ports.min && port <= lastAssignments.ports)
          (builtins.attrValues ids.ports)`),
        true,
        "the ports that were assigned are among those that there are",
      );
    },
  );
}

testNix(
  onlyForLong ?? missing,
  "an upstream with an IPv6 address stands in brackets",
  async (nix) => {
    const addressOf = (host: string) =>
      nix.evaluate(`import (root + "/nix/pkgs/address-of.nix")
      { target.properties.hostname = "${host}"; port = 80; }`);
    assert.equal(await addressOf("fe80::1"), "[fe80::1]:80");
    assert.equal(await addressOf("test1"), "test1:80");
  },
);

testNix(missing, "the wrapper asks Dysnomia for the module of its process manager", async (nix) => {
  const moduleOf = async (processType: string) => {
    const text = await nix.evaluate(`
      stub.callPackage (root + "/nix/pkgs/disnix-tcp-proxy/wrapper.nix") { } {
        programs = "/programs"; port = 1; directory = "/run/1"; log = "/log"; processType = "${processType}";
      }`);
    return /^readonly module='(.*)'$/m.exec(String(text))?.[1];
  };
  assert.equal(await moduleOf("process"), "/dysnomia/libexec/dysnomia/process");
  assert.equal(
    await moduleOf("supervisord-program"),
    "/dysnomia-enableSupervisordProgram/libexec/dysnomia/supervisord-program",
  );
});

testNix(missing, "the package says what it is", async (nix) => {
  const { version, meta } = await nix.evaluate(
    'with stub.callPackage (root + "/nix/package.nix") { }; { inherit version meta; }',
  ) as { version: string; meta: Record<string, unknown> };
  const manifest = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.equal(version, manifest.version);
  assert.deepEqual(Object.keys(meta), ["description", "license", "mainProgram", "platforms"]);
});

testNix(
  onlyForLong ?? missing,
  "without the runtime for executables the package says so",
  async (nix) => {
    const expression = `(stub.callPackage (root + "/nix/package.nix")
    { deno = { outPath = "/deno"; version = "2.8.0"; }; }).drvPath`;
    await assert.rejects(nix.evaluate(expression), /deno 2\.8\.0 has no output "denort"/);
  },
);

testNix(missing, "the module makes a service of each instance", async (nix) => {
  const { systemd, users, networking } = await nix.evaluate(`
    let made = ${
    moduleWith(`
      web = {
        listen = "8080";
        upstream = "127.0.0.1:9080";
        threads = "auto";
        openFirewall = true;
        suspendQuiet = "200ms";
        abortOnClose = true;
        sendProxy = "v2";
        acceptProxy = [ "10.0.0.0/8" "::1" ];
        extraOptions = [ "--idle-timeout" "1h" ];
      };
      mail = {
        listen = "[::1]:25";
        upstream = "mail:25";
        socketActivation = true;
        exitIdleTime = "5m";
        controlGroup = "wheel";
        user = "postfix";
      };
    `)
  }; in { inherit (made) systemd users networking; }`) as {
    systemd: {
      services: Record<string, { wantedBy: string[]; serviceConfig: Record<string, unknown> }>;
      sockets: Record<string, { socketConfig: Record<string, unknown> }>;
    };
    users: { users: Record<string, unknown>; groups: Record<string, unknown> };
    networking: unknown;
  };
  const web = systemd.services["disnix-tcp-proxy-web"];
  assert.match(
    String(web?.serviceConfig["ExecStart"]),
    /"--threads" "auto" .* "--suspend-quiet" "200ms" "--abort-on-close" "--send-proxy" "v2" "--accept-proxy" "10\.0\.0\.0\/8" "--accept-proxy" "::1" "--idle-timeout" "1h" "8080" "127\.0\.0\.1:9080"$/,
  );
  assert.deepEqual(web?.wantedBy, ["multi-user.target"]);
  assert.equal(web?.serviceConfig["User"], "disnix-tcp-proxy-web");
  assert.equal(web?.serviceConfig["RuntimeDirectory"], "disnix-tcp-proxy/8080");
  assert.equal(web?.serviceConfig["AmbientCapabilities"], "");

  const mail = systemd.services["disnix-tcp-proxy-mail"];
  assert.match(
    String(mail?.serviceConfig["ExecStart"]),
    /"--control-group" "wheel" "--exit-idle-time" "5m" "\[::1\]:25" "mail:25"$/,
  );
  assert.deepEqual(mail?.wantedBy, [], "its socket starts it");
  assert.equal(mail?.serviceConfig["User"], "postfix");
  assert.equal(mail?.serviceConfig["Group"], "wheel");
  assert.equal(mail?.serviceConfig["RuntimeDirectoryMode"], "0750");
  assert.equal(mail?.serviceConfig["AmbientCapabilities"], "CAP_NET_BIND_SERVICE");

  assert.deepEqual(Object.keys(systemd.sockets), ["disnix-tcp-proxy-mail"]);
  assert.equal(systemd.sockets["disnix-tcp-proxy-mail"]?.socketConfig["ListenStream"], "[::1]:25");
  assert.deepEqual(Object.keys(users.users), ["disnix-tcp-proxy-web"]);
  assert.deepEqual(networking, { firewall: { allowedTCPPorts: [8080] } });
});

testNix(
  onlyForLong ?? missing,
  "the page is a service of a user of its own, with a password",
  async (nix) => {
    const page = async (options: string) =>
      await nix.evaluate(`(import (root + "/tests/nix/stub/module.nix")).evaluate {
      module = import (root + "/nix/page.nix");
      pkgs = stub;
      service = "disnix-tcp-proxy-page";
      instances = ${options};
    }`) as { systemd: { services: Record<string, { serviceConfig: Record<string, unknown> }> } };
    assert.deepEqual(await page("null"), {});
    const password = 'passwordFile = "/run/keys/page";';
    const { systemd } = await page(
      `{ ${password} controlGroups = [ "wheel" ]; allowedHosts = [ "a.example" ]; }`,
    );
    const config = systemd.services["disnix-tcp-proxy-page"]?.serviceConfig ?? {};
    assert.match(
      `${config["ExecStart"]}`,
      /proxyctl" "serve" "--listen" "127\.0\.0\.1:8404" "--allow-host" "a\.example" --password-file \$\{CREDENTIALS_DIRECTORY\}\/password$/,
    );
    assert.deepEqual(config["SupplementaryGroups"], ["wheel"]);
    assert.equal(config["LoadCredential"], "password:/run/keys/page");
    await assert.rejects(page(`{ ${password} controlGroups = [ ]; }`), /controlGroups is empty/);
    await assert.rejects(page('{ controlGroups = [ "wheel" ]; }'), /passwordFile is not defined/);
    const stored = 'passwordFile = "/nix/store/a"; controlGroups = [ "wheel" ];';
    await assert.rejects(page(`{ ${stored} }`), /is in the store/);
  },
);

testNix(onlyForLong ?? missing, "the module without instances does nothing", async (nix) => {
  assert.deepEqual(await nix.evaluate(moduleWith("")), {});
});

testNix(
  onlyForLong ?? missing,
  "the module refuses what cannot work, and says why",
  async (nix) => {
    const web = 'listen = "8080"; upstream = "a:1";';
    const refused: [string, RegExp][] = [
      ['web = { listen = "http"; upstream = "a:1"; };', /web\.listen is "http"/],
      ['web = { listen = "70000"; upstream = "a:1"; };', /web\.listen is "70000"/],
      [
        'web = { listen = "8080"; upstream = "a"; };',
        /web\.upstream is "a", and must be HOST:PORT/,
      ],
      [
        'web = { listen = "localhost:80"; upstream = "a:1"; socketActivation = true; };',
        /systemd resolves no names/,
      ],
      [`web = { ${web} exitIdleTime = "5m"; };`, /needs socketActivation/],
      [`web = { ${web} }; other = { ${web} };`, /have the same port/],
      [`web = { ${web} stopTimeout = "soon"; };`, /stopTimeout/],
      [`web = { ${web} stopTimeout = "5s5m"; };`, /stopTimeout/],
      ['web = { listen = "08080"; upstream = "a:1"; };', /web\.listen is "08080"/],
      [`web = { ${web} socketActivation = true; exitIdleTime = "soon"; };`, /exitIdleTime/],
      [`"a b" = { ${web} };`, /"a b" must have a name of letters/],
      [`web = { ${web} threads = 0; };`, /threads/],
      ['web = { listen = "8080"; };', /web\.upstream is not defined/],
    ];
    for (const [instances, message] of refused) {
      await assert.rejects(nix.evaluate(moduleWith(instances)), message, instances);
    }
  },
);

testNix(onlyForLong ?? missing, "release.nix evaluates", async (nix) => {
  const release = `import (root + "/nix/release.nix") {
    nixpkgs = stub.path;
    disnixos = stub.path + "/disnixos.nix";
    nix-processmgmt.outPath = stub.path + "/nix-processmgmt";
    source.outPath = builtins.path {
      name = "source";
      path = root;
      filter = path: type: baseNameOf path != ".git" && baseNameOf path != "dist";
    };
  }`;
  const { builds, tests, package: packages } = await nix.evaluate(`
    with ${release}; {
      builds = builtins.mapAttrs (_: builtins.mapAttrs (_: build: build.name)) builds;
      tests = builtins.mapAttrs (_: test: test.testScript) tests;
      package = builtins.mapAttrs (_: package: package.name) package;
    }`) as Record<"builds" | "tests" | "package", Record<string, unknown>>;
  const variants = [
    ...["simple_with_proxy", "simple_without_proxy"],
    ...["with_proxy", "with_socketactivation", "without_proxy"],
  ];
  assert.deepEqual(Object.keys(packages), ["aarch64-linux", "x86_64-linux"]);
  assert.deepEqual(Object.keys(builds), variants);
  assert.deepEqual(
    Object.keys(tests).sort(),
    [...variants, "module", "simple_upgrade", "upgrade"].sort(),
  );
  for (const [name, script] of Object.entries(tests)) {
    assert.match(String(script), /Hello world!/, name);
    if (isThere("python3")) await assertIsPython(String(script));
  }
});

async function assertIsPython(script: string): Promise<void> {
  const args = ["-c", "import sys; compile(sys.argv[1], 'script', 'exec')", script];
  const { success, stderr } = await new Deno.Command("python3", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
