import assert from "node:assert/strict";
import { report } from "../../lib/command_line.ts";
import { NAME as PROXYCTL_NAME, runProxyctl } from "../../lib/commands/program.ts";
import { NAME as PROXY_NAME, parseOptions } from "../../lib/proxy/options.ts";
import { echo } from "../relay/peer.ts";
import { commandOf, complete, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";

const PROXY: [string, RegExp][] = [
  ["", /'listen'/],
  ["8080", /'upstream'/],
  ["eighty a:1", /"eighty" is no address: expected \[HOST:\]PORT/],
  ["99999 a:1", /"99999".*0 to 65535/],
  ["0 a", /: The upstream "a" is no address: expected HOST:PORT/],
  ["0 9080", /: The upstream "9080" has no host: write 127\.0\.0\.1:9080 \(/],
  [":80 a:1", /: The listen address ":80" has no host: write 80 for all addresses, or 127/],
  ["0 *:9080", /: The upstream "\*:9080" has no host: "\*" is all of them, not one \(/],
  ["0 a:0", /"a:0".*1 to 65535/],
  ["0 ::1:80", /"::1:80".*brackets/],
  ["0 a:1 b:2", /b:2/],
  ["0 a:1 --bogus", /'--bogus'/],
  ["0 a:1 --idle-timeout 3x", /: --idle-timeout "3x" is no duration: write .*30s/],
  ["0 a:1 --stop-timeout", /--stop-timeout/],
  ["0 a:1 --max-connections 0", /--max-connections.*"0" is not a whole number of at least 1/],
  ["0 a:1 --relay sendfile", /: --relay "sendfile" is none of epoll, portable \(/],
  ["0 a:1 --threads 0", /--threads.*"0" is not a whole number from 1 to 256/],
  ["0 a:1 --threads all", /--threads.*"all" is not a whole number/],
  ["0 a:1 --relay portable --threads 2", /--threads 2.*--relay portable.*one thread/],
  [
    "0 a:1 --tcp-keepalive 999ms",
    /--tcp-keepalive.*"999ms" is out of range: write 1s to 9h, or none/,
  ],
  ["0 a:1 --tcp-user-timeout 10h", /--tcp-user-timeout.*"10h" is out of range/],
  ["0 a:1 --exit-idle-time soon", /--exit-idle-time.*"soon" is no duration/],
  ["0 a:1 --send-proxy v3", /: --send-proxy "v3" is none of v1, v2 \(/],
  ["0 a:1 --accept-proxy here", /: --accept-proxy "here" is no network: write .*10\.0\.0\.0\/8/],
  ["0 a:1 --accept-proxy ::1 --accept-proxy ::/129", /--accept-proxy "::\/129" is no network/],
  ["0 a:1 --log-level loud", /"loud".*debug, info/],
  ["0 a:1 --log-format xml", /"xml".*text, json/],
];

const PROXYCTL: [string, RegExp][] = [
  ["bogus", /'bogus'/],
  ["--bogus", /'--bogus'/],
  ["status --bogus", /'--bogus'/],
  ["status extra", /extra/],
  ["kill", /'id'/],
  ["kill x", /: The id "x" is not a whole number/],
  ["retarget", /'upstream'/],
  ["retarget x", /"x" is no address: expected HOST:PORT/],
  ["drain --timeout 5", /--timeout.*"5" is no duration: write .*30s/],
  ["drain --lease", /--lease/],
  ["drain --close-idle none", /--close-idle.*write a duration/],
  ["resume --wait-upstream soon", /--wait-upstream.*"soon"/],
  ["status --port 0", /--port.*"0".*from 1 to 65535/],
  ["with-drain", /'command'/],
  ["list --port 80", /unknown option '--port'/],
  ["serve --listen 0.0.0.0:80", /Others than this machine can reach .*--password-file/],
  ["completions", /'shell'/],
  ["completions ksh", /: The shell "ksh" is none of bash, zsh, fish \(/],
];

/** What a program that refuses to be used like that would say. */
async function refused(program: "proxy" | "proxyctl", words: readonly string[]) {
  try {
    await (program === "proxy" ? parseOptions(words) : runProxyctl(words));
  } catch (error) {
    let stderr = "";
    const name = program === "proxy" ? PROXY_NAME : PROXYCTL_NAME;
    const code = report(name, error, (line) => stderr += `${line}\n`);
    return { code, stdout: "", stderr };
  }
  return { code: 0, stdout: "", stderr: "" };
}

for (
  const [program, name, cases, expected] of [
    ["proxy", "disnix-tcp-proxy", PROXY, 2],
    ["proxyctl", "proxyctl", PROXYCTL, 2],
  ] as const
) {
  Deno.test(`bad usage of ${name} is told in one line that names the value, with ${expected}`, async () => {
    for (const [index, [line, pattern]] of cases.entries()) {
      const words = line.split(" ").filter(Boolean);
      // Once the whole program: for the rest only what parses is called.
      const finished = index === 0 ? complete(program, words) : refused(program, words);
      const { code, stdout, stderr } = await finished;
      const [verb = ""] = /^[a-z][a-z-]+(?= |$)/.exec(program === "proxyctl" ? line : "") ?? [];
      const command = verb === "" || verb === "bogus" ? name : `${name} ${verb}`;
      assert.match(stderr, new RegExp(`^${name}: [^\n]+ \\(see ${command} --help\\)\n$`), line);
      assert.match(stderr, pattern);
      assert.deepEqual([code, stdout], [expected, ""], line);
    }
  });

  Deno.test(`${name} --help and --version go to stdout, with 0`, async () => {
    const help = await complete(program, ["--help"]);
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    assert.match(help.stdout, new RegExp(`^Usage: ${name} `));
    const version = await complete(program, ["--version"]);
    assert.deepEqual([version.code, version.stderr], [0, ""]);
    assert.match(version.stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n$`));
  });
}

Deno.test("proxyctl without a verb shows its help on stderr, with 2", async () => {
  const { code, stdout, stderr } = await complete("proxyctl", []);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Usage: proxyctl /);
});

Deno.test("the help of a verb names its options, and that of proxyctl every exit code", async () => {
  const verb = await complete("proxyctl", ["drain", "--help"]);
  assert.equal(verb.code, 0);
  for (
    const option of [
      "timeout",
      "owner",
      "exclusive",
      "reason",
      "lease",
      "no-wait",
      "close-idle",
      "close-remaining",
      "dry-run",
      "json",
      "runtime-dir",
      "port",
    ]
  ) {
    assert.ok(verb.stdout.includes(`--${option}`), option);
  }
  const { stdout } = await complete("proxyctl", ["--help"]);
  for (let code = 0; code <= 9; code++) assert.match(stdout, new RegExp(`^  ${code}  \\w`, "m"));
});

Deno.test("a result that cannot be written is told in one line, without a stack trace", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const ctl = [...commandOf("proxyctl"), "--runtime-dir", proxy.directory];
  for (
    const [script, reason] of [
      ['"$@" > /dev/full', "No space left"],
      // Its reader is gone before it starts.
      ['{ sleep 0.2; "$@"; echo "$?" >&2; } | :', "Broken pipe"],
    ] as const
  ) {
    for (const verb of ["status", "metrics", "history"]) {
      await using running = new Running(["sh", "-c", script, "sh", ...ctl, verb]);
      const { code, stderr } = await running.finished();
      assert.match(
        stderr,
        new RegExp(`^proxyctl: Failed to write to stdout: ${reason}[^\n]*\n(1\n)?$`),
      );
      assert.equal(code, reason === "Broken pipe" ? 0 : 1);
    }
  }
});
