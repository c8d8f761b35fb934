/**
 * Nix with a store of its own, and without a network: what is not here is not had.
 *
 * @module
 */

import { join } from "node:path";
import { getBundler } from "../../lib/packaging/bundle.ts";
import { without } from "../support/tools.ts";

const here = import.meta.dirname ?? ".";

/** The top of the repository. */
export const ROOT = join(here, "../..");

/** Stands in for nixpkgs. */
export const STUB = join(here, "stub");

/** Why nothing can be evaluated here; `null` if it can. */
export function whyNoNix(): string | null {
  return without("nix-instantiate", "nix-build");
}

/** The process managers that nix-processmgmt has, with Dysnomia's names for them. */
export const PROCESS_TYPES = {
  bsdrc: "bsdrc-script",
  cygrunsrv: "cygrunsrv-service",
  disnix: "process",
  docker: "docker-container",
  launchd: "launchd-daemon",
  "s6-rc": "s6-rc-service",
  supervisord: "supervisord-program",
  systemd: "systemd-unit",
  sysvinit: "sysvinit-script",
} as const;

/** Models to deploy. */
export interface Models {
  readonly deployment: "deployment" | "deployment-simple";
  readonly services: string;
  readonly distribution: string;
  /** Further parameters of the services model, in Nix. */
  readonly parameters?: string;
  /** The machines, in Nix; by default those of the infrastructure model. */
  readonly infrastructure?: string;
  /** Where a copy of `nix` is that is to be used instead. */
  readonly copy?: string;
}

/** Two machines, for {@linkcode Models}. */
export const TWO_MACHINES =
  `{ test1.properties.hostname = "test1"; test2.properties.hostname = "test2"; }`;

/** The parameters with which `deployment` is for a process manager. */
export function managedBy(manager: keyof typeof PROCESS_TYPES, more = ""): string {
  return `processManager = "${manager}"; ${processmgmt} ${more}`;
}

/** Names the stand-in for nix-processmgmt. */
export const processmgmt = 'nix-processmgmt = stub.path + "/nix-processmgmt";';

/** An expression for the services of models: `{ NAME = { type, component }; … }`. */
export function deploymentOf(
  {
    deployment,
    services,
    distribution,
    parameters = "",
    infrastructure = 'import (models + "/infrastructure.nix")',
    copy = join(ROOT, "nix"),
  }: Models,
): string {
  return `import (root + "/tests/nix/deployment.nix") (
    let models = ${copy}/${deployment}/DistributedDeployment; in {
      pkgs = stub;
      services = models + "/${services}.nix";
      distribution = models + "/${distribution}.nix";
      infrastructure = ${infrastructure};
      parameters = { ${parameters} };
    })`;
}

/** An expression for what the module for NixOS makes of instances. */
export function moduleWith(instances: string): string {
  return `(import (root + "/tests/nix/stub/module.nix")).evaluate {
    module = import (root + "/nix/module.nix");
    pkgs = stub;
    service = "disnix-tcp-proxy";
    instances = { ${instances} };
  }`;
}

/** Of one file of tests: what one of them has built the others need not build again. */
class SharedStore {
  #nix: Promise<Nix> | null = null;

  constructor() {
    Deno.test.afterAll(async () => await (await this.#nix)?.[Symbol.asyncDispose]());
  }

  get nix(): Promise<Nix> {
    return this.#nix ??= Nix.start();
  }
}

let shared: SharedStore | null = null;

/**
 * Defines a test that gets the store of its file, which is removed after the last one; it is ignored
 * where something is missing.
 */
export function testNix(
  missing: string | null,
  name: string,
  test: (nix: Nix, t: Deno.TestContext) => Promise<void>,
): void {
  const ignore = missing !== null;
  const store = shared ??= new SharedStore();
  Deno.test({
    name: ignore ? `${name} (ignored: ${missing})` : name,
    ignore,
    fn: async (t) => await test(await store.nix, t),
  });
}

/** Why nothing can be built here; `null` if it can. */
export function whyNoBuilds(): string | null {
  return whyNoNix() ?? (Deno.uid() === 0 ? null : "only root can build without Nix's daemon");
}

/** A file that builds find at another place. */
interface InSandbox {
  readonly there: string;
  readonly here: string;
}

/** How a store differs from others. */
export interface NixOptions {
  /** What `/denort` is in builds: any program will do, unless the executables are to be run. */
  readonly denort?: string;
}

/** Disposing of it removes its store. */
export class Nix implements AsyncDisposable {
  private constructor(readonly directory: string, private readonly sandbox: readonly InSandbox[]) {}

  static async start({ denort = "/bin/true" }: NixOptions = {}): Promise<Nix> {
    const directory = await Deno.makeTempDir();
    const certificates = Deno.env.get("SSL_CERT_FILE") ?? "/etc/ssl/certs/ca-certificates.crt";
    return new Nix(directory, [
      { there: "/deno/bin/deno", here: Deno.execPath() },
      { there: "/denort/bin/denort", here: denort },
      { there: "/esbuild/bin/esbuild", here: await getBundler() },
      { there: "/cacert/etc/ssl/certs/ca-bundle.crt", here: certificates },
    ]);
  }

  /** Finds out whether files can be parsed. @throws {Error} saying why not */
  async parse(files: readonly string[]): Promise<void> {
    await this.#run("nix-instantiate", ["--parse", ...files]);
  }

  /**
   * What an expression is, as JSON has it. It finds `stub`, the stand-in for nixpkgs, and `root`, the
   * top of the repository.
   */
  async evaluate(expression: string): Promise<unknown> {
    const args = ["--eval", "--strict", "--json", "--read-write-mode"];
    return JSON.parse(await this.#run("nix-instantiate", [...args, ...inScope(expression)]));
  }

  /**
   * Builds what an expression is, which finds what it finds in {@linkcode evaluate}.
   *
   * @returns the store paths
   */
  async build(expression: string, options: readonly string[] = []): Promise<string[]> {
    const args = ["--no-out-link", ...options, ...inScope(expression)];
    return (await this.#run("nix-build", args)).trim().split("\n");
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    const { directory } = this;
    const paths = this.sandbox.map(({ there, here }) => `${there}=${here}`);
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      env: {
        // nix-processmgmt looks there for its tools.
        NIX_PATH: `nixpkgs=${STUB}`,
        NIX_STORE_DIR: join(directory, "store"),
        NIX_STATE_DIR: join(directory, "state"),
        NIX_LOG_DIR: join(directory, "log"),
        NIX_CONF_DIR: directory,
        HOME: directory,
        NIX_CONFIG: [
          "sandbox = true",
          "build-users-group =",
          "substituters =",
          `sandbox-paths = /bin /usr /lib /lib64? /etc/alternatives? ${paths.join(" ")}`,
        ].join("\n"),
      },
      stdin: "null",
    }).output();
    if (success) return new TextDecoder().decode(stdout);
    throw new Error(new TextDecoder().decode(stderr));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is in a store cannot be written.
    const script = 'chmod -R u+w "$0" && rm -rf "$0"';
    await new Deno.Command("sh", { args: ["-c", script, this.directory] }).output();
  }
}

function inScope(expression: string): string[] {
  return ["--expr", `let root = ${ROOT}; stub = import ${STUB} { }; in ${expression}`];
}
