/** What of the environment, of files and of signals reaches the executables. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { executables, whyNoExecutables } from "../support/executables.ts";
import { onlyForLong } from "../support/long.ts";
import { start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, whyNotTraced, without } from "../support/tools.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { run, runStory } from "./story.ts";

/** Put before the C library's, it writes down which variables are asked for. */
const LISTENER = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void note(const char *name) {
  /* Not what they start. */
  if (!strstr(" " PROGRAMS " ", program_invocation_short_name)) return;
  char line[256];
  size_t length = strnlen(name, sizeof line - 1);
  memcpy(line, name, length);
  line[length++] = '\\n';
  int to = open(ASKED, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (to < 0 || write(to, line, length) < 0) abort();
  close(to);
}
#define LISTEN(function) char *function(const char *name) { \\
  static char *(*real)(const char *); \\
  if (!real) real = dlsym(RTLD_NEXT, #function); \\
  note(name); \\
  return real(name); \\
}
LISTEN(getenv)
LISTEN(secure_getenv)
`;

testWith(
  onlyForLong ?? whyNoExecutables ?? without("gcc"),
  "what executables ask of the environment is theirs, or stands in docs/executables.md",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const [source, library, asked] = ["source.c", "library.so", "asked"]
      .map((name) => join(temporary.path, name)) as [string, string, string];
    const programs: Program[] = Object.values(PROGRAMS);
    const names = programs.map(({ executable }) => executable).join(" ");
    const given = `#define PROGRAMS "${names}"\n#define ASKED ${JSON.stringify(asked)}\n`;
    await Deno.writeTextFile(source, given + LISTENER);
    await run("gcc", "-shared", "-fPIC", "-o", library, source, "-ldl");
    await runStory(join(temporary.path, "proxy"), { env: { LD_PRELOAD: library } });
    const granted = programs.flatMap(({ permissions }) =>
      permissions.flatMap((flag) => /^--allow-env=(.*)/.exec(flag)?.[1]?.split(",") ?? [])
    );
    const page = await Deno.readTextFile(new URL("../../docs/executables.md", import.meta.url));
    const named = page.match(/`[A-Za-z0-9_]+`/g)?.map((name) => name.slice(1, -1)) ?? [];
    const known = new Set([...granted, ...named]);
    const seen = new Set((await Deno.readTextFile(asked)).trim().split("\n"));
    assert.ok(seen.has("NODE_OPTIONS") && seen.has("LISTEN_PID"), "they are heard");
    assert.deepEqual([...seen].filter((name) => !known.has(name)).sort(), []);
  },
);

/** What makes a Deno, or a Node, do something else; from a hostile folder where it names a file. */
const hostile = (folder: string): Record<string, string> => ({
  HOME: folder,
  TMPDIR: folder,
  XDG_CACHE_HOME: folder,
  XDG_CONFIG_HOME: folder,
  DENO_DIR: folder,
  DENO_CERT: `${folder}/certificate`,
  DENO_V8_FLAGS: "--prof",
  DENO_SERVE_ADDRESS: "tcp:127.0.0.1:9998",
  DENO_NODE_IPC_FD: "1",
  DENO_COVERAGE_DIR: folder,
  NODE_CHANNEL_FD: "1",
  NODE_EXTRA_CA_CERTS: `${folder}/certificate`,
  NODE_OPTIONS: `--require=${folder}/evil.cjs --import=${folder}/evil.cjs --inspect=127.0.0.1:9999`,
  NODE_PATH: folder,
  NODE_V8_COVERAGE: folder,
  NPM_CONFIG_USERCONFIG: `${folder}/.npmrc`,
  OTEL_DENO: "true",
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9997",
});

testWith(
  onlyForLong ?? whyNoExecutables ?? whyNotTraced(),
  "executables look nowhere but in the runtime directory and the system's, whatever the environment says",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const [folder, here, calls] = ["hostile", "here", "calls"]
      .map((name) => join(temporary.path, name)) as [string, string, string];
    // Where a runtime could look for configuration, code, or what it has compiled before.
    const bait = ["evil.cjs", "deno.json", "package.json", ".npmrc", ".env", "proxy.ts"];
    for (const directory of [folder, here]) {
      await Deno.mkdir(directory);
      for (const name of bait) await Deno.writeTextFile(join(directory, name), "throw 1;");
    }
    await Deno.mkdir(calls);
    await runStory(join(temporary.path, "proxy"), {
      env: hostile(folder),
      cwd: here,
      // Not -ff with all in one: a call that another thread interrupts would be in two lines.
      through: ["strace", "-ff", "-qq", "-e", "trace=%file,bind,connect", "-o", join(calls, "of")],
    });
    const lines: string[] = [];
    for await (const { name } of Deno.readDir(calls)) {
      lines.push(...(await Deno.readTextFile(join(calls, name))).split("\n"));
    }
    assert.ok(lines.some((line) => line.includes(join(temporary.path, "proxy/lock"))), "seen");
    // The current directory itself is asked for its name, and whether it is there.
    const looked = lines.filter((line) =>
      line.includes(`${folder}/`) || line.includes(`${here}/`) ||
      /^\w+\((?:AT_FDCWD, )?"[^/"]/.test(line)
    );
    assert.deepEqual(looked, []);
    const ports = lines.flatMap((line) => /htons\((999\d)\)/.exec(line)?.[1] ?? []);
    assert.deepEqual(ports, [], "nobody listens, or is connected to, for the environment's sake");
    for (const directory of [folder, here]) {
      const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
      assert.deepEqual(names.sort(), bait.toSorted(), "nothing was written");
    }
  },
);

/** The sockets that a process listens on, by what /proc/net/tcp says of those that it has. */
async function listening(pid: number): Promise<number> {
  const inodes = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const to = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    inodes.add(/^socket:\[(\d+)\]$/.exec(to)?.[1] ?? "");
  }
  const tables = ["tcp", "tcp6"].map((table) => Deno.readTextFileSync(`/proc/${pid}/net/${table}`));
  // proc(5): the state, 0A for LISTEN, is the fourth column, and the inode the tenth.
  return tables.join("").split("\n").map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === "0A" && inodes.has(columns[9] ?? "-")).length;
}

testWith(
  onlyForLong ?? whyNoExecutables,
  "no signal opens a debugger in an executable",
  async () => {
    const all = { executables: await executables() };
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, all);
    for (const signal of ["SIGUSR1", "SIGUSR2"] as const) proxy.process.kill(signal);
    using client = await proxy.served();
    client.finish();
    assert.equal(await listening(proxy.process.pid), 1);
    await using server = start("server", ["127.0.0.1:0"], all);
    await server.heard(/Listening/);
    server.kill("SIGUSR1");
    assert.equal((await server.finished()).signal, "SIGUSR1", "it has no handler");
  },
);
