/**
 * Runs what documents show of a console: blocks with the mark `console`, in which a command follows
 * `$ `, and what it says stands below. A line `…` stands for any lines. What is needed before, and
 * would only distract, is in comments: `<!-- run: COMMAND -->`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { commandOf, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";

/** A command, and what it says. */
export interface Step {
  readonly command: string;
  /** `null` where that is not shown. */
  readonly says: readonly string[] | null;
}

/** The steps of a document, in their order. */
export function stepsOf(document: string): Step[] {
  return [...document.matchAll(/^<!-- run: ([^\n]*) -->$|^```console\n(.*?)^```$/gms)]
    .flatMap(([, hidden, block = ""]) =>
      hidden === undefined ? stepsOfBlock(block) : [{ command: hidden, says: null }]
    );
}

function stepsOfBlock(block: string): Step[] {
  return block.replaceAll(" \\\n", " ").split(/^\$ /m).slice(1).map((step) => {
    const [command = "", ...says] = step.trimEnd().split("\n");
    return { command, says: says.filter(Boolean) };
  });
}

/** A machine of its own: processes, network, and `/run`. A command comes before each zero byte. */
const SHELL = `ip link set lo up && mount -t tmpfs none /run || exit 9
while IFS= read -r -d '' command; do
  eval "$command" </dev/null
  printf '\\036'
done`;

/**
 * Runs the steps one after the other, in a directory of their own.
 *
 * @throws when one says something else than is shown
 */
export async function run(steps: readonly Step[]): Promise<void> {
  await using temporary = await TemporaryDirectory.make();
  await writePrograms(temporary.path);
  const machine = [
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
  ];
  await using shell = new Running([...machine, "bash", "-c", `exec 2>&1; ${SHELL}`], {
    cwd: temporary.path,
    env: { PATH: `${temporary.path}/bin:${Deno.env.get("PATH")}`, SUDO_USER: "" },
  });
  let at = 0;
  for (const [index, { command, says }] of steps.entries()) {
    await shell.write(`${command}\0`);
    await until(() => shell.stdout.split("\x1e").length, (ended) => ended > index + 1);
    const said = () => shell.stdout.slice(at).replaceAll("\x1e", "").split("\n").filter(Boolean);
    if (says !== null) {
      if (command.endsWith("&")) await until(said, ({ length }) => length >= says.length);
      assertSaid(command, said(), says);
    }
    at = shell.stdout.length;
  }
}

async function writePrograms(directory: string): Promise<void> {
  await Deno.mkdir(`${directory}/bin`);
  for (const [name, { executable }] of Object.entries(PROGRAMS)) {
    const words = commandOf(name as keyof typeof PROGRAMS).map((word) => `'${word}'`);
    // As on a terminal.
    if (name === "proxy") words.push("--log-format=text");
    const text = `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`;
    await Deno.writeTextFile(`${directory}/bin/${executable}`, text, { mode: 0o755 });
  }
}

function assertSaid(command: string, said: readonly string[], says: readonly string[]): void {
  const pattern = says.map(alike).map((line) =>
    line === "…" ? "(?:.*\n)*?" : `${line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}\n`
  ).join("");
  const text = said.map((line) => `${alike(line)}\n`).join("");
  if (new RegExp(`^${pattern}$`).test(text)) return;
  assert.fail(`$ ${command}\nsaid:\n${said.join("\n")}\nand is shown as:\n${says.join("\n")}`);
}

/** A line without what differs from time to time. */
function alike(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d:\d\dZ/g, "TIME")
    .replaceAll(/(?<![\w.])(?:\d+(?:\.\d+)?(?:ms|[hms]))+(?!\w)/g, "DURATION")
    .replaceAll(/(?<=process |Process |with-drain |(?:Seconds|queueLimit|pid)":)[\d.]+/g, "NUMBER")
    .replaceAll(/(?<=:)\d{5}\b/g, "PORT")
    .replaceAll(/at most \d+|"machine":"\w+"/g, "MACHINE")
    .replaceAll(/ +/g, " ");
}
