import assert from "node:assert/strict";
import { manualPages } from "../../lib/manual/pages.ts";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { complete, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

const pages = manualPages("2026-11-28");

/** Variables by which a proxy talks to its own successor. */
const OURS = /^DISNIX_TCP_PROXY_/;

/** Runs a tool on each page, as a file. */
async function onEach(...tool: string[]): Promise<Map<string, string>> {
  await using temporary = await TemporaryDirectory.make();
  const said = new Map<string, string>();
  for (const [name, text] of pages) {
    const path = `${temporary.path}/${name}.1`;
    await Deno.writeTextFile(path, text);
    await using running = new Running([...tool, path], {
      env: { MANWIDTH: "78", MANPAGER: "cat", LC_ALL: "C.UTF-8" },
    });
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stderr], [0, ""], name);
    said.set(name, stdout);
  }
  return said;
}

Deno.test("each program has a manual page", () => {
  const programs = Object.values(PROGRAMS).map(({ executable }) => executable);
  assert.deepEqual([...pages.keys()].sort(), programs.sort());
});

testWith(without("mandoc"), "mandoc finds nothing to mend in the manual pages", async () => {
  for (const [name, said] of await onEach("mandoc", "-T", "lint", "-W", "all")) {
    assert.equal(said, "", name);
  }
});

testWith(without("man"), "man shows every option, argument and verb that --help has", async () => {
  const shown = await onEach("man", "--warnings", "--local-file");
  const words = (text: string) => text.replaceAll(/[<>]/g, "").split(/\s+/).join(" ");
  for (const [key, { executable }] of Object.entries(PROGRAMS)) {
    const page = words(shown.get(executable) ?? "");
    const { stdout: help } = await complete(key as keyof typeof PROGRAMS, ["--help"]);
    const terms = [...help.matchAll(/^ {2}((?:-\w, )?--[\w-]+(?: <\w+>)?|[a-z-]+)/gm)];
    assert.ok(terms.length > 2);
    for (const [, term = ""] of terms) {
      if (term !== "help") assert.ok(page.includes(words(term)), `${executable}: ${term}`);
    }
  }
  assert.match(words(shown.get("proxyctl") ?? ""), /proxyctl drain .* --close-idle duration /);
});

Deno.test("a manual page names every variable that its program looks at", () => {
  for (const { executable, permissions } of Object.values(PROGRAMS)) {
    const flag = permissions.find((one) => one.startsWith("--allow-env=")) ?? "";
    const names = flag.slice("--allow-env=".length).split(",").filter((name) => !OURS.test(name));
    for (const name of names) {
      const page = pages.get(executable) ?? "";
      assert.match(page, new RegExp(`^\\\\fB(.*, )?${name}\\b`, "m"), `${executable}: ${name}`);
    }
  }
});

Deno.test("a manual page is text that any terminal shows", () => {
  for (const [name, text] of pages) assert.match(text, /^[\n\x20-\x7e]*$/, name);
});
