import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { echo } from "../relay/peer.ts";
import { complete, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { onlyForLong } from "../support/long.ts";

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await complete("proxyctl", ["completions", shell]);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

/** A proxyctl that knows of two proxies, and of a connection of each. */
const PROXYCTL = `#!/bin/sh
case "$*" in
  "completions ports") printf '%s\\n' '8080 open, to a:1' '5432 drained, to b:1' ;;
  "--runtime-dir /d completions ids") echo '7 10.0.0.1:5000' ;;
  "--port 5432 completions ids") echo '9 [2001:db8::1]:5000' ;;
esac`;

/** What is typed, and what the last word of it becomes at a tab. */
const CASES = [
  ["dra", "drain"],
  ["--port 5432 dr", "drain"],
  ["--port 80", "8080"],
  ["status --port 54", "5432"],
  ["--runtime-dir /etc/alt", "/etc/alternatives"],
  ["--runtime-dir /d kill ", "7"],
  ["kill --port 5432 ", "9"],
  ["wait --for dra", "drained"],
  ["connections --sort by", "bytes"],
  ["drain --timeout 10", "10s"],
  ["drain --close-r", "--close-remaining"],
  ["resume --owner drain --forc", "--force"],
  ["completions zs", "zsh"],
  ["with-drain -- unshar", "unshare"],
  ["with-drain --timeout 30s unshar", "unshare"],
  ["with-drain --timeout 30s -- ls /etc/hostn", "/etc/hostname"],
] as const;

/** Words that say how an interactive shell is started, and what loads its completions there. */
const INTERACTIVE = {
  bash: ["bash --norc", ". /usr/share/bash-completion/bash_completion; . ./script"],
  zsh: ["zsh -f", "autoload -Uz compinit; compinit -u -d ./dump; . ./script"],
} as const;

/** A directory with that proxyctl, and with the script for a shell. */
async function prepared(shell: "bash" | "zsh" | "fish"): Promise<TemporaryDirectory> {
  const temporary = await TemporaryDirectory.make();
  await Deno.writeTextFile(`${temporary.path}/proxyctl`, PROXYCTL, { mode: 0o755 });
  await Deno.writeTextFile(`${temporary.path}/script`, await script(shell));
  return temporary;
}

for (const shell of ["bash", "zsh"] as const) {
  const missing = onlyForLong ?? without(shell, "script", "unshare") ??
    (shell === "bash" && !existsSync("/usr/share/bash-completion") ? "no bash-completion" : null);
  testWith(missing, `at a tab ${shell} completes verbs, values, ids and commands`, async () => {
    await using temporary = await prepared(shell);
    const [start, load] = INTERACTIVE[shell];
    const env = { TERM: "dumb", HOME: temporary.path, PATH: `${temporary.path}:/usr/bin:/bin` };
    await using running = new Running(["script", "-qefc", `stty cols 200; ${start}`, "/dev/null"], {
      env,
      cwd: temporary.path,
    });
    await running.write(`${load}; echo rea'dy'\n`);
    await running.heard(/^ready/m, "stdout");
    for (const [typed, becomes] of CASES) {
      const before = typed.slice(0, typed.lastIndexOf(" ") + 1);
      await running.write(`proxyctl ${typed}\t`);
      const line = `proxyctl ${before}${becomes}`.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      await running.heard(new RegExp(`${line}[ /]`), "stdout");
      // Take the line away.
      await running.write("\x15");
    }
    // A shell that is only left alone may still write its history when the directory is being removed.
    await running.write("exit\n");
    await running.finished();
  });
}

testWith(
  onlyForLong ?? without("fish", "unshare"),
  "fish completes verbs, values, ids and commands",
  async () => {
    await using temporary = await prepared("fish");
    const asked = CASES.map(([typed]) => `echo "? ${typed}"; complete -C "proxyctl ${typed}"`);
    await Deno.writeTextFile(`${temporary.path}/ask`, ["source ./script", ...asked].join("\n"));
    await using running = new Running(["fish", "--no-config", "./ask"], {
      env: { HOME: temporary.path, PATH: `${temporary.path}:/usr/bin:/bin` },
      cwd: temporary.path,
    });
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stderr], [0, ""]);
    const answers = stdout.split(/^\? /m).slice(1).map((answer) => answer.trimEnd().split("\n"));
    for (const [index, [typed, becomes]] of CASES.entries()) {
      const [line, ...words] = answers[index] ?? [];
      assert.equal(line?.trim(), typed.trim());
      const said = words.map((word) => word.split("\t")[0]?.replace(/\/$/, ""));
      assert.ok(said.includes(becomes), `${typed}: ${words}`);
    }
  },
);

Deno.test("completions are told which connections there are", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.served();
  const { code, stdout } = await proxy.ctl(["completions", "ids"]);
  assert.deepEqual([code, stdout.split(" ")[1]], [0, `${client.name}\n`]);
});

for (
  const [shell, check] of [["bash", ["-n"]], ["zsh", ["-n"]], ["fish", ["--no-execute"]]] as const
) {
  testWith(without(shell), `the script for ${shell} is one that ${shell} can read`, async () => {
    await using temporary = await TemporaryDirectory.make();
    const path = `${temporary.path}/script`;
    await Deno.writeTextFile(path, await script(shell));
    await using running = new Running([shell, ...check, path]);
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  });
}

Deno.test("every verb of the help is completed in every shell", async () => {
  const { stdout } = await complete("proxyctl", ["--help"]);
  const verbs = [...stdout.matchAll(/^ {2}([a-z-]+) .*\[options\]|^ {2}(completions) /gm)]
    .map(([, one, other]) => one ?? other ?? "");
  assert.ok(verbs.length >= 10);
  for (const shell of ["bash", "zsh", "fish"]) {
    const loaded = await script(shell);
    for (const verb of verbs) assert.match(loaded, new RegExp(`\\b${verb}\\b`), `${shell} ${verb}`);
  }
});
