import assert from "node:assert/strict";
import { basename, join } from "node:path";
import {
  deploymentOf,
  type Models,
  type Nix,
  processmgmt,
  ROOT,
  testNix,
  TWO_MACHINES,
  whyNoNix,
} from "./nix.ts";
import { onlyForLong } from "../support/long.ts";

const missing = whyNoNix();
const DEPLOYMENTS = ["deployment-simple", "deployment"] as const;

const documents = ["README.md", "docs/disnix.md"]
  .map((name) => Deno.readTextFileSync(join(ROOT, name)));

/** The commands of the documents that begin so, each on one line. */
function commands(start: RegExp): string[] {
  return documents
    .flatMap((text) => [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)])
    .flatMap(([, language, block = ""]) => language === "" ? block : "")
    .flatMap((block) => block.replaceAll(/ \\\n\s*/g, " ").split("\n"))
    .filter((line) => start.test(line));
}

/** The value of an option of a command. */
function option(command: string, name: string): string | undefined {
  return new RegExp(` ${name} ('[^']*'|\\S+)`).exec(command)?.[1]?.replaceAll("'", "");
}

/** Has Nix look at each component of models. @returns the names of their services */
async function evaluate(nix: Nix, models: Models): Promise<string[]> {
  const drvs = await nix.evaluate(
    `builtins.mapAttrs (_: service: service.component.drvPath) (${deploymentOf(models)})`,
  );
  return Object.keys(drvs as Record<string, string>);
}

testNix(
  onlyForLong ?? missing,
  "each deployment of the documents evaluates as it is written",
  async (nix, t) => {
    const all = commands(/^disnix(os)?-env .*-s /);
    assert.ok(all.length > 5, all.join("\n"));
    for (const command of new Set(all)) {
      await t.step(command, async () => {
        const services = basename(option(command, "-s") ?? "", ".nix");
        const distribution = option(command, "-d") ?? "";
        const parameters = option(command, "--extra-params")?.replace(/^\{(.*)\}$/, "$1") ?? "";
        // A test has no checkout of nix-processmgmt; the last of two would be an error.
        const known = parameters.replace(/nix-processmgmt = \S+;/, "");
        // Of the machines of a network Disnix makes the model itself. One of the models is for two.
        const isForTwo = command.startsWith("disnixos-env") || /moved/.test(distribution);
        let found = 0;
        for (const deployment of DEPLOYMENTS) {
          const models = join(ROOT, "nix", deployment, "DistributedDeployment");
          if (!exists(join(models, `${services}.nix`))) continue;
          found++;
          const isSimple = deployment === "deployment-simple";
          await evaluate(nix, {
            deployment,
            services,
            distribution: distribution.replace(/\.nix$/, ""),
            parameters: isSimple ? simple(known) : `${processmgmt} ${known}`,
            ...(isForTwo && { infrastructure: TWO_MACHINES }),
          });
        }
        assert.ok(found > 0, `no ${services}.nix`);
      });
    }
  },
);

/** What Disnix passes on to the simple models: the parameters that they have. */
function simple(parameters: string): string {
  return parameters.replaceAll(
    /(\S+) = [^;]*;/g,
    (text, name) => ["stateDir", "runtimeDir", "logDir"].includes(name) ? text : "",
  );
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

for (const deployment of DEPLOYMENTS) {
  testNix(
    onlyForLong ?? missing,
    `${deployment}: each machine is one target, as shipped`,
    async (nix) => {
      const hosts = await nix.evaluate(
        `map (target: target.properties.hostname)
        (builtins.attrValues (import (root + "/nix/${deployment}/DistributedDeployment/infrastructure.nix")))`,
      ) as string[];
      assert.deepEqual(hosts, [...new Set(hosts)]);
    },
  );

  testNix(
    onlyForLong ?? missing,
    `${deployment}: with a second machine the client is there`,
    async (nix) => {
      const models = `root + "/nix/${deployment}/DistributedDeployment"`;
      for (const name of ["distribution-with-proxy", "distribution-without-proxy"]) {
        const { hello_world_client, hello_world_server } = await nix.evaluate(
          `builtins.mapAttrs (_: map (target: target.properties.hostname))
          (import (${models} + "/${name}.nix") { infrastructure = ${TWO_MACHINES}; })`,
        ) as Record<string, string[]>;
        assert.deepEqual([hello_world_client, hello_world_server], [["test2"], ["test1"]]);
      }
    },
  );

  testNix(
    onlyForLong ?? missing,
    `${deployment}: the durations of the documents can be given`,
    async (nix) => {
      const line = /^ *pkg = customPkgs\.disnix_tcp_proxy \{.*?\};$/ms;
      const [written] = documents.flatMap((text) => line.exec(text) ?? []);
      assert.ok(written !== undefined);
      const copy = join(nix.directory, "nix");
      const parts = ["nix", "deno.json", "deno.lock"].map((name) => join(ROOT, name));
      await new Deno.Command("cp", { args: ["-r", ...parts, nix.directory] }).output();
      const path = join(copy, deployment, "DistributedDeployment/services-with-proxy.nix");
      const before = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, before.replace(line, () => written));
      assert.notEqual(await Deno.readTextFile(path), before);
      const names = await evaluate(nix, {
        deployment,
        copy,
        services: "services-with-proxy",
        distribution: "distribution-with-proxy",
        parameters: deployment === "deployment" ? processmgmt : "",
      });
      assert.ok(names.includes("disnix_tcp_proxy"));
    },
  );
}
