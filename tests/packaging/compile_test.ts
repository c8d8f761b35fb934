import assert from "node:assert/strict";
import { join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { type Metadata, readExecutable } from "./executable.ts";

const root = new URL("../../", import.meta.url).pathname;
const programs: [string, Program][] = Object.entries(PROGRAMS);

/** Any program can stand in for the runtime: the result can be looked at, but not be run. */
async function compileOn(base: string, output: string): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", "--output", output],
    cwd: root,
    env: { DENORT_BIN: base },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
  }[];
}

/**
 * The modules that scripts need when they run (not those of which it takes only types), as Deno's
 * own loader sees it: the project's own, relative to the top, and remote ones.
 */
async function modulesOf(scripts: string[]): Promise<{ own: string[]; remote: string[] }> {
  const needed = new Set<string>();
  for (const script of scripts) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", script],
      cwd: root,
    }).output();
    const { roots, modules } = JSON.parse(new TextDecoder().decode(stdout)) as Graph;
    for (const specifier of roots) needed.add(specifier);
    for (const specifier of needed) {
      const module = modules.find((one) => one.specifier === specifier);
      for (const { code } of module?.dependencies ?? []) if (code) needed.add(code.specifier);
    }
  }
  const own = [...needed].filter((specifier) => specifier.startsWith("file://"));
  return {
    own: own.map((specifier) => new URL(specifier).pathname.slice(root.length)).sort(),
    remote: [...needed].filter((specifier) => /^https?:/.test(specifier)),
  };
}

/** The permissions in an executable, as the flags that grant them. */
function grants({ permissions }: Metadata): string[] {
  const flags = Object.entries(permissions).flatMap(([key, value]) => {
    const [verb, what] = key.split("_");
    if (key === "allow_import" || !Array.isArray(value)) return [];
    const flag = verb === "ignore" ? "--ignore-" : `--${verb}-`;
    return [`${flag}${what}${value.length === 0 ? "" : `=${value.toSorted().join()}`}`];
  });
  return [...flags, ...(permissions["prompt"] === false ? ["--no-prompt"] : [])].sort();
}

function sorted(flag: string): string {
  const [name = "", list] = flag.split("=");
  return list === undefined ? name : `${name}=${list.split(",").sort().join()}`;
}

Deno.test("the four executables hold their modules, their permissions and nothing else", async (t) => {
  const output = await Deno.makeTempDir();
  try {
    await compileOn("/bin/true", output);
    const names = [...Deno.readDirSync(output)].map(({ name }) => name).sort();
    assert.deepEqual(names, programs.map(([, { executable }]) => executable).sort());
    for (const [name, { script, executable, permissions, workers = [] }] of programs) {
      await t.step(name, async () => {
        const { metadata, files } = await readExecutable(join(output, executable));
        const { own, remote } = await modulesOf([script, ...workers]);
        const paths = files.map(({ path }) => path);
        const libraries = paths.filter((path) => path.startsWith(".deno_compile_node_modules/"));
        assert.deepEqual(remote, [], "no module is remote");
        assert.deepEqual(
          paths.filter((path) => !libraries.includes(path)).sort(),
          own.sort(),
          "exactly the own modules of the script and its Workers are there",
        );
        assert.deepEqual(libraries.filter((path) => path.includes("fast-check")), []);
        assert.equal(metadata.entrypoint_key, script);
        assert.equal(metadata.app_name, executable);
        assert.deepEqual(metadata.argv, []);
        assert.deepEqual(grants(metadata), permissions.map(sorted).sort());
        assert.equal(metadata.otel_config.tracing_enabled, false);
        assert.equal(metadata.otel_config.metrics_enabled, false);
      });
    }
  } finally {
    await Deno.remove(output, { recursive: true });
  }
});

Deno.test("compiling twice gives the same executables, whenever files were changed", async () => {
  const output = await Deno.makeTempDir();
  try {
    const digests: string[][] = [];
    for (let run = 0; run < 2; run++) {
      await compileOn("/bin/true", output);
      digests.push(
        await Promise.all(programs.map(async ([, { executable }]) => {
          const bytes = await Deno.readFile(join(output, executable));
          return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
        })),
      );
    }
    assert.deepEqual(digests[0], digests[1]);
    for (const [, { executable }] of programs) {
      const { files } = await readExecutable(join(output, executable));
      assert.deepEqual(new Set(files.map(({ time }) => time)), new Set([1000]));
    }
  } finally {
    await Deno.remove(output, { recursive: true });
  }
});

/** The end-to-end tests, which run on executables when `$EXECUTABLES` names their directory. */
const END_TO_END = [
  "server_test.ts",
  "client_test.ts",
  "proxy_test.ts",
  "proxyctl_test.ts",
  "control_test.ts",
  "demo_test.ts",
  "storm_test.ts",
  "proxy",
  "control",
  "commands",
].map((name) => `tests/${name}`);

const runtime = await realRuntime();
if (runtime === null) {
  // deno-lint-ignore no-console
  console.log(
    "Skipped: running the compiled executables. There is no denort here, the runtime that they " +
      "are put on; name one with DENORT_BIN.",
  );
}

Deno.test({
  name: "the compiled executables pass the end-to-end tests",
  ignore: runtime === null,
  async fn() {
    const output = await Deno.makeTempDir();
    try {
      await compileOn(runtime ?? "", output);
      // Some of the tests run the programs as another user.
      await Deno.chmod(output, 0o755);
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "--parallel", "--allow-all", "--no-check", ...END_TO_END],
        cwd: root,
        env: { EXECUTABLES: output },
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(output, { recursive: true });
    }
  },
});

/**
 * A runtime that executables really run on: what `$DENORT_BIN` names, if a program put on it says
 * its version. Deno itself and other files can be named as well, and then it does not.
 */
async function realRuntime(): Promise<string | null> {
  const named = Deno.env.get("DENORT_BIN");
  if (named === undefined) return null;
  const output = await Deno.makeTempDir();
  try {
    await compileOn(named, output);
    const path = join(output, PROGRAMS.proxyctl.executable);
    const { stdout } = await new Deno.Command(path, { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).startsWith("proxyctl ") ? named : null;
  } catch {
    return null;
  } finally {
    await Deno.remove(output, { recursive: true });
  }
}
