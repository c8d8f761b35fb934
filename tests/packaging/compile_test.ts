import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { compiledByThisDeno, executables, whyNoExecutables } from "../support/executables.ts";
import { isLong, onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { type Metadata, readExecutable } from "./executable.ts";

const root = new URL("../../", import.meta.url).pathname;
const programs: [string, Program][] = Object.entries(PROGRAMS);

/**
 * Any program can stand in for the runtime: the result can be looked at, but not be run.
 *
 * @param compiler the Deno that compiles; by default the one that runs the tests
 */
async function compileOn(base: string, output: string, compiler = ""): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", "--output", output],
    cwd: root,
    env: { DENORT_BIN: base, DENO_OF_DENORT: compiler },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

/** Stands in for the Deno of another version: it notes what it is asked to do, and has ours do it. */
const OTHER_DENO = `#!/bin/sh
echo "$1" >>"$0.asked"
exec '${Deno.execPath()}' "$@"
`;

let compiled: Promise<string> | null = null;

/** Where they are compiled to, once for all tests, and beside them the Deno that was asked to. */
function compiledOnce(): Promise<string> {
  return compiled ??= (async () => {
    const directory = await Deno.makeTempDir();
    const compiler = join(directory, "deno");
    await Deno.writeTextFile(compiler, OTHER_DENO, { mode: 0o755 });
    const output = join(directory, "output");
    await compileOn("/bin/true", output, compiler);
    return output;
  })();
}

Deno.test.afterAll(async () => {
  if (compiled !== null) await Deno.remove(dirname(await compiled), { recursive: true });
});

Deno.test("the Deno that belongs to the runtime compiles, whichever runs the task", async () => {
  const asked = await Deno.readTextFile(join(await compiledOnce(), "../deno.asked"));
  const compilations = asked.split("\n").filter((command) => command === "compile");
  assert.ok(compilations.length >= programs.length, asked);
});

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
    // Deno 2.8 writes one of them by the name of its function.
    const names = value.map((one) => one === "userInfo" ? "username" : one).sort();
    return [`${flag}${what}${names.length === 0 ? "" : `=${names.join()}`}`];
  });
  return [...flags, ...(permissions["prompt"] === false ? ["--no-prompt"] : [])].sort();
}

function sorted(flag: string): string {
  const [name = "", list] = flag.split("=");
  return list === undefined ? name : `${name}=${list.split(",").sort().join()}`;
}

Deno.test("the four executables hold their modules, their permissions and nothing else", async (t) => {
  const output = await compiledOnce();
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
      assert.equal(metadata.app_name ?? executable, executable);
      assert.deepEqual(metadata.argv, []);
      assert.deepEqual(grants(metadata), permissions.map(sorted).sort());
      assert.equal(metadata.code_cache_key, null, "no code is taken from the temporary folder");
      assert.equal(metadata.otel_config.tracing_enabled, false);
      assert.equal(metadata.otel_config.metrics_enabled, false);
    });
  }
});

testWith(
  onlyForLong,
  "compiling twice gives the same executables, whenever files were changed",
  async () => {
    const output = await compiledOnce();
    const digests = () =>
      Promise.all(programs.map(async ([, { executable }]) => {
        const bytes = await Deno.readFile(join(output, executable));
        return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
      }));
    const once = await digests();
    await compileOn("/bin/true", output);
    assert.deepEqual(await digests(), once);
    for (const [, { executable }] of programs) {
      const { files } = await readExecutable(join(output, executable));
      assert.deepEqual(new Set(files.map(({ time }) => time)), new Set([1000]));
    }
  },
);

/**
 * The end-to-end tests, which run on executables when `$EXECUTABLES` names their directory: briefly
 * those of each program, as what the programs are is compared above.
 */
const END_TO_END = [
  "server_test.ts",
  "client_test.ts",
  "proxy_test.ts",
  ...isLong
    ? ["demo", "storm", "runtime_directory", "proxy", "control", "commands"]
    : ["commands/park_test.ts", "commands/status_test.ts", "commands/with_drain_test.ts"],
].map((name) => `tests/${name}`);

testWith(
  whyNoExecutables ??
    (compiledByThisDeno ? null : "DENO_OF_DENORT is another Deno than that of the tests"),
  "the compiled executables pass the end-to-end tests",
  async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--parallel", "--allow-all", "--no-check", ...END_TO_END],
      cwd: root,
      env: { EXECUTABLES: await executables() },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  },
);
