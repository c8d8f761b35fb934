import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { compiledByThisDeno, executables, whyNoExecutables } from "../support/executables.ts";
import { isLong, onlyForLong } from "../support/long.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { type Metadata, readExecutable } from "./executable.ts";

const root = new URL("../../", import.meta.url).pathname;
const programs: [string, Program][] = Object.entries(PROGRAMS);

/**
 * Any program can stand in for the runtime: the result can be looked at, but not be run.
 *
 * @param compiler the Deno that compiles; by default the one that runs the tests
 */
async function compileOn(base: string, output: string, compiler = "", env = {}): Promise<void> {
  const { code, stderr } = await compiling(output, {
    ...env,
    DENORT_BIN: base,
    DENO_OF_DENORT: compiler,
  });
  assert.equal(code, 0, stderr);
}

async function compiling(output: string, env: Record<string, string>) {
  const args = ["task", "--quiet", "compile", "--output", output];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root, env });
  const { code, stderr } = await command.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
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

Deno.test("the four executables hold their bundles, their permissions and nothing else", async (t) => {
  const output = await compiledOnce();
  const names = [...Deno.readDirSync(output)].map(({ name }) => name).sort();
  assert.deepEqual(names, programs.map(([, { executable }]) => executable).sort());
  for (const [name, { script, executable, permissions, workers = [] }] of programs) {
    await t.step(name, async () => {
      const { metadata, files } = await readExecutable(join(output, executable));
      const paths = files.map(({ path }) => path);
      const named = [script, ...workers].map((path) => basename(path, ".ts"));
      assert.deepEqual(
        paths.filter((path) => !/^[\w-]+-[0-9A-Z]{8}\.js$/.test(path)).sort(),
        [
          ...named.map((one) => `${one}.js`),
          ...workers.map((path) => basename(path)),
          "licenses.txt",
        ].sort(),
        "beside parts that the bundler names, the script and its Workers are there",
      );
      assert.equal(metadata.entrypoint_key, `${named[0]}.js`);
      assert.equal(metadata.app_name ?? executable, executable);
      assert.deepEqual(metadata.argv, []);
      assert.deepEqual(grants(metadata), permissions.map(sorted).sort());
      assert.equal(metadata.code_cache_key, null, "no code is taken from the temporary folder");
      assert.equal(metadata.otel_config.tracing_enabled, false);
      assert.equal(metadata.otel_config.metrics_enabled, false);
    });
  }
});

Deno.test("an executable tells the licenses of its libraries, and has no others", async () => {
  const output = await compiledOnce();
  for (const [, { executable }] of programs) {
    const bytes = await Deno.readFile(join(output, executable));
    const text = new TextDecoder("latin1").decode(bytes);
    const has = (words: string) => text.includes(words);
    assert.ok(has("commander 15.") && has("Copyright (c) 2011 TJ Holowaychuk"));
    assert.equal(has("uplot 1."), executable === "proxyctl", "only proxyctl draws plots");
    assert.ok(!has("fast-check 4."), "what only tests need");
  }
});

testWith(
  onlyForLong,
  "compiling twice gives the same executables, wherever and whenever",
  async () => {
    const output = await compiledOnce();
    const digests = (directory: string) =>
      Promise.all(programs.map(async ([, { executable }]) => {
        const bytes = await Deno.readFile(join(directory, executable));
        return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
      }));
    const elsewhere = join(dirname(output), "further/down");
    // What a bundler looks for in the directories above.
    const hostile = join(dirname(output), "hostile");
    await Deno.mkdir(hostile);
    for (
      const [name, content] of [
        ["package.json", '{ "name": "valibot", "exports": "./evil.js", "sideEffects": false }'],
        ["evil.js", "Deno.exit(9);"],
        ["tsconfig.json", '{ "compilerOptions": { "paths": { "*": ["./evil.js"] } } }'],
        [".pnp.data.json", "{ broken"],
      ] as const
    ) await Deno.writeTextFile(join(hostile, name), content);
    await compileOn("/bin/true", elsewhere, "", { TMPDIR: hostile });
    assert.deepEqual(await digests(elsewhere), await digests(output));
    for (const [, { executable }] of programs) {
      const { files } = await readExecutable(join(output, executable));
      assert.deepEqual(new Set(files.map(({ time }) => time)), new Set([1000]));
    }
  },
);

Deno.test("a bundler that cannot do it is refused in one line, before anything is made", async () => {
  await using temporary = await TemporaryDirectory.make();
  const [bundler, output] = [join(temporary.path, "esbuild"), join(temporary.path, "output")];
  for (
    const [content, mode, message] of [
      [
        "#!/bin/sh\necho 0.27.7",
        0o755,
        "ESBUILD_BIN names esbuild 0.27.7: it must be 0.28 or later",
      ],
      ["", 0o644, `Failed to bundle with what ESBUILD_BIN names: ${bundler} cannot be run`],
    ] as const
  ) {
    await Deno.writeTextFile(bundler, content);
    await Deno.chmod(bundler, mode);
    const { code, stderr } = await compiling(output, { ESBUILD_BIN: bundler });
    assert.deepEqual([code, stderr], [1, `compile: ${message}\n`]);
    assert.deepEqual([...Deno.readDirSync(output)], []);
  }
});

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
