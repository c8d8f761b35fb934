import assert from "node:assert/strict";
import { type Import, moduleGraph } from "./support/module_graph.ts";

/** From the ground up: a floor may know those below it, and nothing else. */
const FLOORS = [
  "lib",
  "lib/linux",
  "lib/signals.ts",
  "lib/reaper",
  "lib/relay",
  "lib/drain",
  "lib/runtime_directory",
  "lib/control",
  "lib/handover",
  "lib/keeper",
  "lib/proxy",
  "lib/protocol",
  "lib/packaging",
  "lib/serve",
  "lib/commands",
  "lib/manual",
  "",
];

/** How many lines a file of the programs may have. */
const MOST_LINES = 350;

const graph = await moduleGraph(
  ...["server.ts", "client.ts", "proxy.ts", "proxyctl.ts"],
  "lib/packaging/compile.ts",
  "lib/manual/main.ts",
  // The compiler is told of this one by name.
  "lib/relay/epoll/worker.ts",
);
const ours = [...graph.keys()].filter((path) => path.endsWith(".ts") && !path.includes(":"));

function floorOf(path: string): number {
  const [top, folder] = path.split("/");
  const room = `${top}/${folder}`;
  const floor = top !== "lib" ? "" : FLOORS.includes(room) ? room : top;
  assert.ok(floor !== top || folder?.endsWith(".ts"), `No floor is given for ${path}`);
  return FLOORS.indexOf(floor);
}

/** Those that can be reached from a module, by imports that pass. */
function reached(start: string, passes: (one: Import) => boolean = () => true): Set<string> {
  const found = new Set<string>();
  const follow = (path: string) => {
    for (const one of graph.get(path) ?? []) {
      if (!passes(one) || found.has(one.path)) continue;
      found.add(one.path);
      follow(one.path);
    }
  };
  follow(start);
  return found;
}

Deno.test("no module imports itself by way of others", () => {
  assert.deepEqual(ours.filter((path) => reached(path).has(path)), []);
});

Deno.test("no module imports one of a higher floor", () => {
  const upward = ours.flatMap((path) =>
    (graph.get(path) ?? [])
      .filter((one) => ours.includes(one.path) && floorOf(one.path) > floorOf(path))
      .map((one) => `${path} imports ${one.path}`)
  );
  assert.deepEqual(upward, []);
});

Deno.test(`no module has over ${MOST_LINES} lines`, () => {
  const long = ours.flatMap((path) => {
    const lines = Deno.readTextFileSync(new URL(`../${path}`, import.meta.url)).split("\n").length -
      1;
    return lines > MOST_LINES ? [`${path} has ${lines}`] : [];
  });
  assert.deepEqual(long, []);
});

Deno.test("a proxy that nobody scrapes does not load what turns its metrics into text", () => {
  const loaded = [...reached("lib/proxy/main.ts", ({ loaded }) => loaded === "at once")];
  assert.ok(loaded.includes("lib/proxy/metrics.ts"));
  assert.deepEqual(loaded.filter((path) => path.includes("prom-client")), []);
});

/** Tests of what has no file: the documents, and the sources as a whole. */
const ABOUT_ALL = ["documents", "habits", "structure"];

Deno.test("tests lie where what they test lies: those of a room's files in the folder with its name", () => {
  const root = new URL("../", import.meta.url);
  const namesIn = (folder: string) =>
    [...Deno.readDirSync(new URL(folder, root))].map(({ name }) => name);
  const files = [...namesIn("./"), ...namesIn("lib/")];
  const strays = namesIn("tests/").filter((name) => name.endsWith("_test.ts"))
    .map((name) => name.slice(0, -"_test.ts".length))
    .filter((name) => !ABOUT_ALL.includes(name) && !files.includes(`${name}.ts`));
  assert.deepEqual(strays, []);
  const verbs = namesIn("tests/commands/");
  const untested = namesIn("lib/commands/").filter((name) => name.endsWith(".ts")).filter(
    (file) => {
      const source = Deno.readTextFileSync(new URL(`lib/commands/${file}`, root));
      return /^export const \w+Verb\b/m.test(source) &&
        !verbs.includes(file.replace(".ts", "_test.ts"));
    },
  );
  assert.deepEqual(untested, []);
});
