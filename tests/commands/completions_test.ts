import assert from "node:assert/strict";
import { complete, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await complete("proxyctl", ["completions", shell]);
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout;
}

/** Loads the script as its first line says, and asks for the words that complete this line. */
const ASK = `
eval "$1"
complete -p proxyctl >/dev/null || exit 9
COMP_WORDS=("\${@:2}"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="\${*:2}"
_proxyctl; echo "\${COMPREPLY[*]}"`;

testWith(without("bash"), "bash completes verbs, their options and their words", async () => {
  const loaded = await script("bash");
  assert.match(loaded, /eval "\$\(proxyctl completions bash\)"/);
  const ask = async (...words: string[]) => {
    await using bash = new Running([
      "bash",
      "--norc",
      "-uo",
      "pipefail",
      "-c",
      ASK,
      "bash",
      loaded,
      "proxyctl",
      ...words,
    ]);
    const { code, stdout, stderr } = await bash.finished();
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
    return stdout.trim();
  };
  assert.match(
    await ask(""),
    /^status drain resume park connections kill retarget upgrade with-drain .*--port/,
  );
  assert.equal(await ask("re"), "resume retarget");
  assert.equal(await ask("--port", "80", "dr"), "drain");
  assert.equal(await ask("drain", "--close"), "--close-idle --close-remaining");
  assert.equal(await ask("drain", "--e"), "--exclusive");
  assert.equal(await ask("resume", "--e"), "");
  assert.equal(await ask("drain", "--runtime-dir", "x", "--dry"), "--dry-run");
  assert.equal(await ask("completions", "b"), "bash");
  assert.equal(await ask("with-drain", "--", "--"), "");
  assert.equal(await ask("--runtime-dir", "/et"), "/etc");
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
