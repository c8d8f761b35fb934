import assert from "node:assert/strict";
import { lendProxy } from "../support/lent_proxy.ts";
import { commandOf, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, without } from "../support/tools.ts";

/** Starts proxyctl on a terminal; what it shows is on stdout. */
function onTerminal(
  proxy: Proxy,
  args: readonly string[],
  size = "cols 100 rows 30",
  terminal = "xterm",
): Running {
  const words = [...commandOf("proxyctl"), ...args, "--runtime-dir", proxy.directory];
  const command = words.map((word) => `'${word}'`).join(" ");
  const script = size === "" ? command : `stty ${size}; exec ${command}`;
  return new Running(["script", "-qefc", script, "/dev/null"], { env: { TERM: terminal } });
}

/** A pattern in which `ESC` stands for that control character. */
function escaped(pattern: string): RegExp {
  return new RegExp(pattern.replaceAll("ESC", "\x1b"));
}

const noTerminal = without("script", "stty");

testWith(
  noTerminal,
  "on a terminal a drain shows live whom it waits for, and clears that away",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using first = await proxy.served();
    using second = await proxy.served();
    await using drain = onTerminal(proxy, ["drain"]);
    await drain.heard(/Draining for \S+ of 1m: 2 active, 0 queued\r\n/, "stdout");
    await drain.heard(/ID +PEER +UPSTREAM +STATE +AGE +IDLE +UP +DOWN\r\n/, "stdout");
    for (const { name } of [first, second]) assert.ok(drain.stdout.includes(name));
    first.finish();
    // The four lines before are replaced.
    await drain.heard(
      escaped("ESC\\[4A\\rESC\\[JDraining for \\S+ of 1m: 1 active, 0 queued\\r\\n"),
      "stdout",
    );
    second.finish();
    const { code, stdout } = await drain.finished();
    assert.equal(code, 0);
    assert.match(stdout, escaped("ESC\\[3A\\rESC\\[JDrained after \\S+\\r\\n$"));
  },
);

testWith(noTerminal, "on a dumb terminal nothing moves: what is new is a line", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  await using drain = onTerminal(proxy, ["drain"], undefined, "dumb");
  await using watch = onTerminal(proxy, ["status", "--watch"], undefined, "dumb");
  await drain.heard(/Draining for \S+ of 1m: 1 active, 0 queued, among them /, "stdout");
  await watch.heard(/(state +draining\r\n[^]*){2}/, "stdout");
  active.finish();
  const { stdout } = await drain.finished();
  assert.match(stdout, /\r\nDrained after \S+\r\n$/);
  assert.ok(!`${stdout}${watch.stdout}`.includes("\x1b"));
});

testWith(
  noTerminal,
  "on a narrow terminal no line is longer than it, and one without a size is taken for usual",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using active = await proxy.served();
    for (const [size, width] of [["cols 40 rows 10", 40], ["cols 0 rows 0", 80]] as const) {
      await using drain = onTerminal(proxy, ["drain"], size);
      await drain.heard(/ID[^\n]*\r\n[^\n]*\r\n/, "stdout");
      const lines = drain.stdout.split("\r\n");
      assert.ok(lines.every((line) => line.length < width), drain.stdout);
      assert.ok(lines.some((line) => line.length > width / 2), drain.stdout);
      drain.kill("SIGKILL");
      await drain.finished();
      await proxy.until(({ state }) => state === "open");
    }
    active.finish();
  },
);

Deno.test("elsewhere a drain says plain lines on stderr, and one of them whom it waits for", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using first = await proxy.served();
  using second = await proxy.served();
  await using drain = proxy.startCtl(["drain"]);
  await drain.heard(/\n/);
  first.finish();
  await drain.heard(/: 1 active/);
  second.finish();
  const { code, stdout, stderr } = await drain.finished();
  assert.equal(code, 0);
  const [one, two, ...more] = stderr.trimEnd().split("\n");
  const who = (name: string) => `among them ${name}, connected for \\S+, idle for \\S+`;
  assert.match(
    `${one}`,
    new RegExp(`^Draining for .* of 1m: 2 active, 0 queued, ${who(first.name)}$`),
  );
  assert.match(`${two}`, new RegExp(`^Draining for .*: 1 active, 0 queued, ${who(second.name)}$`));
  assert.deepEqual(more, []);
  assert.match(stdout, /^Drained after \S+\n$/);
});

testWith(noTerminal, "status --watch on a terminal shows each over the one before", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using watch = onTerminal(proxy, ["status", "--watch"]);
  await watch.heard(escaped("(ESC\\[HESC\\[Jstate +open\\r\\n[^ESC]*){2}"), "stdout");
});
