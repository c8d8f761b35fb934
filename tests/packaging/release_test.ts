import assert from "node:assert/strict";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { onlyForLong } from "../support/long.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

const root = new URL("../../", import.meta.url).pathname;
const no = Deno.build.os === "linux" ? without("zstd", "tar", "dpkg-deb") : "not on Linux";
const target = `${Deno.build.arch}-unknown-linux-gnu`;

/** A file that was released: its name, and what it holds. */
type Released = readonly [name: string, digest: string];

/** Any program of this machine can stand in for the runtime: nothing that is released is run. */
async function release(args: readonly string[], umask = "022") {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `umask ${umask}; exec "$@"`, "sh", Deno.execPath(), ...[
      ...["run", "--quiet", "--allow-all", "--no-check", "lib/packaging/release.ts"],
      ...args,
    ]],
    cwd: root,
    env: { DENORT_BIN: "/bin/true", DENO_OF_DENORT: "", SOURCE_DATE_EPOCH: "1800000000" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function released(directory: string): Promise<Released[]> {
  const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
  return await Promise.all(
    names.sort().map(async (name) => {
      const bytes = await Deno.readFile(join(directory, name));
      const digest = await crypto.subtle.digest("SHA-256", bytes);
      return [name, new Uint8Array(digest).toHex()] as const;
    }),
  );
}

async function listed(command: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

testWith(
  onlyForLong ?? no,
  "a release is the same each time, whole, and nothing else is left",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const output = join(temporary.path, "output");
    const made = await release(["--output", output]);
    assert.equal(made.code, 0, made.stderr);
    const files = await released(output);
    const { version } = config;
    const debian = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
    const archive = `disnix-tcp-proxy-${version}-${target}`;
    const names = [
      "SHA256SUMS",
      `${archive}.tar.zst`,
      `disnix-tcp-proxy_${version}_${debian}.deb`,
    ];
    assert.deepEqual(files.map(([name]) => name), names);
    assert.deepEqual(
      made.stdout.trim().split("\n").sort(),
      names.map((name) => join(output, name)),
    );
    const sums = await Deno.readTextFile(join(output, "SHA256SUMS"));
    assert.equal(sums, files.slice(1).map(([name, digest]) => `${digest}  ${name}\n`).join(""));

    const again = await release(["--output", output, "--target", target], "077");
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(await released(output), files);

    const inArchive = await listed("tar", "--list", "--file", join(output, `${archive}.tar.zst`));
    for (const { executable } of Object.values(PROGRAMS)) {
      assert.ok(inArchive.includes(`${archive}/bin/${executable}`));
      assert.ok(inArchive.includes(`${archive}/share/man/man1/${executable}.1`));
    }
    for (
      const name of [
        "LICENSE",
        "LICENSES-OF-LIBRARIES",
        "README",
        "RELEASE-NOTES.md",
        "share/zsh/site-functions/_proxyctl",
      ]
    ) {
      assert.ok(inArchive.includes(`${archive}/${name}`));
    }
    const deb = join(output, names[2] ?? "");
    const inDebian = `${(await listed("dpkg-deb", "--contents", deb)).join("\n")}\n`;
    for (
      const name of [
        "man/man1/disnix-tcp-proxy.1.gz",
        "man/man1/proxyctl.1.gz",
        "bash-completion/completions/proxyctl",
        "zsh/vendor-completions/_proxyctl",
        "fish/vendor_completions.d/proxyctl.fish",
      ]
    ) {
      assert.ok(inDebian.includes(` ./usr/share/${name}\n`), name);
    }
    const text = await listed(
      ...["tar", "--extract", "--to-stdout", "--file", join(output, `${archive}.tar.zst`)] as const,
      `${archive}/README`,
    );
    assert.doesNotMatch(text.join("\n"), /@\w+@/);
    assert.match(text.join("\n"), /glibc 2\.27 or later \(not musl\)/);
    assert.ok(
      text.join("\n").includes(`(they are on the runtime of Deno ${Deno.version.deno})`),
    );
  },
);

testWith(no, "a target without a runtime is refused with one line", async () => {
  const refusals = [
    ["aarch64-apple-darwin", 1, `DENORT_BIN is one for ${target}`],
    ["sparc", 2, 'There is no target "sparc", but x86_64-unknown-linux-gnu'],
  ] as const;
  for (const [wanted, code, message] of refusals) {
    const refused = await release(["--target", wanted]);
    assert.deepEqual([refused.code, refused.stdout], [code, ""]);
    assert.match(refused.stderr, /^release: .*\n$/);
    assert.ok(refused.stderr.includes(message), refused.stderr);
  }
});
