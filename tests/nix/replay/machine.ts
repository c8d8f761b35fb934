/**
 * A machine that Disnix deploys to: a directory, a process manager, and the programs.
 *
 * @module
 */

import { join } from "node:path";
import { type Program, PROGRAMS } from "../../../lib/packaging/programs.ts";
import type { AnotherUser } from "../../support/another_user.ts";
import { commandOf, type Finished, Running } from "../../support/programs.ts";
import { succeeded } from "../../support/scene.ts";
import { Nix } from "../nix.ts";
import { build, type Description, DYSNOMIA } from "./component.ts";
import { Processes } from "./managers/process.ts";
import { Supervisord } from "./managers/supervisord.ts";
import { Systemd } from "./managers/systemd.ts";
import type { Manager } from "./managers/manager.ts";
import type { Service } from "./service.ts";

/** Not a link: it is copied for others. */
const SHELL = Deno.realPathSync("/bin/sh");

/** The process managers that there are, by Dysnomia's names for them. */
export const MANAGERS = {
  "process": Processes,
  "supervisord-program": Supervisord,
  "systemd-unit": Systemd,
} as const;

/** A component, wherever it will be. */
export type Component = Omit<Description, "processType" | "state" | "programs">;

/** Disposing of it ends all that runs there. */
export class Machine implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    private readonly nix: Nix,
    private readonly manager: Manager,
    private readonly user: AnotherUser | null,
    private readonly stack: AsyncDisposableStack,
  ) {}

  /**
   * @param home who can use what is there, besides whoever runs the tests
   * @param user as whom everything runs, instead of as whoever runs the tests
   */
  static async start(
    type: keyof typeof MANAGERS = "process",
    { home, user = null }: { readonly home?: AnotherUser; readonly user?: AnotherUser | null } = {},
  ): Promise<Machine> {
    await using stack = new AsyncDisposableStack();
    const directory = await Deno.makeTempDir({ ...(home && { dir: home.home }) });
    await Deno.chmod(directory, 0o755);
    if (home !== undefined) await Deno.chown(directory, home.id, home.id);
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const nix = stack.use(await Nix.start());
    await Deno.chmod(nix.directory, 0o755);
    await makePrograms(join(directory, "programs", "bin"), home !== undefined);
    const manager = stack.use(await MANAGERS[type].start(directory));
    return new Machine(directory, nix, manager, user, stack.move());
  }

  /** A package with the programs. */
  get programs(): string {
    return join(this.directory, "programs");
  }

  /** Builds components for the process manager. @returns their store paths */
  build(...components: readonly Component[]): Promise<string[]> {
    const { directory: state, programs, processType } = this;
    const there = { processType, state, programs };
    return build(this.nix, components.map((component) => ({ ...component, ...there })));
  }

  /** The type of a service that the process manager runs. */
  get processType(): Description["processType"] {
    return this.manager.processType;
  }

  /** Runs a command there as Disnix would, with nothing at its stdin. */
  run(command: readonly string[], env: Record<string, string> = {}): Promise<Running> {
    const quiet = [SHELL, "-c", 'exec "$@" </dev/null', "sh"];
    const words = [...this.manager.through, ...quiet, ...command];
    if (this.user !== null) return this.user.run(words, { env });
    return Promise.resolve(new Running(words, { env, cwd: this.directory }));
  }

  /** Runs one of the programs there. */
  program(name: keyof typeof PROGRAMS, args: readonly string[]): Promise<Running> {
    return this.run([join(this.programs, "bin", PROGRAMS[name].executable), ...args]);
  }

  /** Runs an operation on a service. The properties of its container are known only to some. */
  operate(service: Service, operation: string): Promise<Running> {
    const isTold = operation === "activate" || operation === "deactivate";
    const module = `${DYSNOMIA}/libexec/dysnomia/${service.type}`;
    const env = isTold ? this.manager.properties : {};
    return this.run([module, operation, service.component, service.type], env);
  }

  /** Runs an operation on a service to its end, which must be a success. */
  async succeed(service: Service, operation: string): Promise<Finished> {
    await using running = await this.operate(service, operation);
    return succeeded(operation, await running.finished());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

let cache: Promise<string> | null = null;

/** Where Deno has its cache. */
function findCache(): Promise<string> {
  return cache ??= (async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] })
      .output();
    return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
  })();
}

/** Writes scripts that start the programs. Services have no home, where Deno would look for its cache. */
async function makePrograms(directory: string, forAnotherUser: boolean): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  const denoDir = await findCache();
  let deno = Deno.execPath();
  if (forAnotherUser) {
    deno = join(directory, "deno");
    await Deno.link(Deno.execPath(), deno).catch(() => Deno.copyFile(Deno.execPath(), deno));
  }
  for (const name of Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[]) {
    const { executable }: Program = PROGRAMS[name];
    const words = commandOf(name).map((word) => word === Deno.execPath() ? deno : word);
    const command = words.map((word) => `'${word}'`).join(" ");
    const cache = `export DENO_DIR="\${DENO_DIR:-${denoDir}}"`;
    const text = `#!/bin/sh\n${cache}\nexec ${command} "$@"\n`;
    await Deno.writeTextFile(join(directory, executable), text, { mode: 0o755 });
  }
}
