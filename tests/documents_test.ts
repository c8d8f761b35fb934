import assert from "node:assert/strict";
import type { Command, Option } from "commander";
import { commandLine } from "../lib/commands/program.ts";
import { EXIT, EXIT_MEANINGS } from "../lib/exit_codes.ts";
import { whyNoEpoll } from "../lib/linux/available.ts";
import { run, stepsOf } from "./documents/console.ts";
import { onlyForLong } from "./support/long.ts";
import { testWith, without } from "./support/tools.ts";
import { complete } from "./support/programs.ts";

const root = new URL("../", import.meta.url);

const documents = new Map(
  ["README.md", ...[...Deno.readDirSync(new URL("docs", root))].map(({ name }) => `docs/${name}`)]
    .filter((name) => name.endsWith(".md"))
    .map((name) => [name, Deno.readTextFileSync(new URL(name, root))]),
);
const operating = documents.get("docs/operating.md") ?? "";

const proxyctl = commandLine(() => {});
const { stdout: help } = await complete("proxy", ["--help"]);

/** What the tasks say of their options. */
const tasks = ["storm", "fuzz", "bench"].map(readOptions).join();

function readOptions(task: string): string {
  return Deno.readTextFileSync(new URL(`${task}/options.ts`, import.meta.url));
}

/** The cells of the table whose head begins with this word, without those of the head. */
function table(head: string): string[][] {
  const rows = new RegExp(`^\\| ${head} .*\n\\| -.*\n((?:\\|.*\n)*)`, "m").exec(operating)?.[1] ??
    "";
  return rows.trimEnd().split("\n")
    .map((row) => row.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
}

/** What can be said after a verb, or without one. */
function optionsOf(verb: Command | undefined): readonly Option[] {
  return [...proxyctl.options, ...verb?.options ?? []];
}

/** Looks at a command as it is written after `proxyctl`. @throws {Error} for an unknown option */
function check(words: readonly string[]): void {
  let verb: Command | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") return;
    if (word.startsWith("--")) {
      const option = optionsOf(verb).find(({ long }) => long === word);
      assert.ok(option !== undefined || word === "--help", `${words.join(" ")}: no ${word}`);
      if (option?.required) at++;
    } else if (verb === undefined) {
      verb = proxyctl.commands.find((command) => command.name() === word);
      // A sentence about it, unless something was said before.
      if (verb === undefined) return assert.equal(at, 0, `${words.join(" ")}: no verb ${word}`);
    }
  }
}

Deno.test("operating.md shows the proxy's help as the proxy prints it", () => {
  const shown = /^```\n(Usage: disnix-tcp-proxy .*?)^```/ms.exec(operating)?.[1];
  assert.equal(shown, help);
});

Deno.test("operating.md lists every exit code, with what proxyctl says that it means", () => {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  assert.deepEqual(table("exit"), names.map((name) => [`${EXIT[name]}`, EXIT_MEANINGS[name]]));
});

Deno.test("operating.md lists every verb of proxyctl, and no other", () => {
  const verbs = table("command").flatMap(([commands = ""]) =>
    [...commands.matchAll(/`([\w-]+)/g)].map(([, verb]) => verb)
  );
  assert.deepEqual(verbs.sort(), proxyctl.commands.map((command) => command.name()).sort());
});

Deno.test("what the documents have proxyctl called with is what it takes", () => {
  const written = [...documents.values()].map((text) => text.replaceAll(" -->", "")).flatMap((
    text,
  ) => [
    ...text.matchAll(/\bproxyctl((?: [^\s`|;&)]+)+)/g),
  ]).map(([, words = ""]) => words);
  const listed = table("command").flatMap(([commands = ""]) =>
    [...commands.matchAll(/`([^`]+)`/g)].map(([, words = ""]) => words.replaceAll(/[[\]]/g, ""))
  );
  assert.ok(written.length > 30 && listed.length > 10);
  for (const words of [...written, ...listed]) check(words.trim().split(/\s+/));
});

Deno.test("every option that the documents speak of is one", () => {
  const known = new Set([
    ...[...(help + tasks).matchAll(/--[\w-]+/g)].map(([flag]) => flag),
    ...[undefined, ...proxyctl.commands].flatMap(optionsOf).map(({ long }) => long),
  ]);
  // These two speak of other programs' options as well.
  const others = ["docs/containers.md", "docs/disnix.md"];
  const named = [...documents].flatMap(([path, text]) =>
    others.includes(path) ? [] : [...text.matchAll(/`(--[\w-]+)/g)].map(([, flag]) => flag)
  );
  assert.ok(named.length > 20);
  assert.deepEqual(named.filter((flag) => !known.has(flag)), []);
});

Deno.test("the README can be read in one sitting", () => {
  const lines = documents.get("README.md")?.trimEnd().split("\n").length ?? 0;
  assert.ok(lines > 100 && lines <= 250, `it has ${lines} lines`);
});

Deno.test("what a document links to is there, its heading too", () => {
  const dead = [...documents].flatMap(([path, text]) =>
    [...text.matchAll(/\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)/g)].filter(([, to = "", anchor]) => {
      const target = to === "" ? path : new URL(to, new URL(path, root)).pathname;
      const there = to === "" ? text : read(target);
      return there === null || anchor && !anchors(there).includes(anchor);
    }).map(([link]) => `${path}: ${link}`)
  );
  assert.deepEqual(dead, []);
});

/** The text of a file, empty for a directory, `null` if it is not there. */
function read(path: string): string | null {
  try {
    return Deno.statSync(path).isDirectory ? "" : Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

/** The names that headings can be linked to by. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(/[^\w\s-]/g, "").replaceAll(" ", "-")
  );
}

const privileged = without("unshare", "ip", "curl") ??
  (new Deno.Command("unshare", { args: ["-mnpf", "true"] }).outputSync().success
    ? whyNoEpoll()
    : "no namespaces of its own");

for (const [path, text] of documents) {
  const steps = stepsOf(text);
  if (steps.length === 0) continue;
  // That is many, and much of it is in the README as well.
  const long = path === "docs/operating.md" ? onlyForLong : null;
  testWith(
    long ?? privileged,
    `what ${path} shows of a console is what is seen there`,
    () => run(steps),
  );
}
