import assert from "node:assert/strict";
import { onlyForLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { Traces } from "../support/traces.ts";

const COMMAND = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
  new URL("bench.ts", import.meta.url).pathname,
];
const NOTHING_LEFT = { files: [], processes: [] };
const notHere = Deno.build.os === "linux" ? null : "it needs Linux";

testWith(
  onlyForLong ?? notHere,
  "a small bench measures what is there, and leaves nothing else",
  async () => {
    await using traces = await Traces.open();
    await using output = await TemporaryDirectory.make();
    const args = [
      ...["--turns=1", "--seconds=0.1", "--only=epoll,portable,haproxy"],
      ...["--rows=request,upload,drained", `--output=${output.path}/new`],
    ];
    await using bench = new Running([...COMMAND, ...args], traces.options);
    const { code, stdout, stderr } = await bench.finished();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^request: µs CPU a request +0\.00 +\d/m);
    assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);

    const { machine, contenders, lines, measured, failed } = JSON.parse(
      await Deno.readTextFile(`${output.path}/new/bench.json`),
    );
    assert.ok(machine.processors >= 1 && machine.kernel.startsWith("linux"));
    assert.deepEqual(failed, []);
    const names: string[] = contenders.map(({ name }: { name: string }) => name);
    assert.deepEqual(names.slice(0, 3), ["direct", "epoll", "portable"]);
    assert.deepEqual(Object.keys(measured), ["request", "upload", "drained"]);
    assert.equal(lines.length, 7);
    for (const name of names) {
      const [{ cpu, rate }] = measured.request[name];
      assert.ok(rate > 0 && (cpu > 0) === (name !== "direct"), `${name}: ${cpu}, ${rate}`);
      assert.equal(name in measured.drained, ["epoll", "portable"].includes(name));
    }
    const svg = await Deno.readTextFile(`${output.path}/new/bench.svg`);
    assert.match(svg, /^<svg [^]*<\/svg>\n$/);
  },
);

testWith(notHere, "a bench that is interrupted leaves nothing", async () => {
  await using traces = await Traces.open();
  const args = ["--turns=1000", "--seconds=0.1", "--rows=request", "--only=epoll,socat"];
  await using bench = new Running([...COMMAND, ...args], traces.options);
  await bench.heard(/request: turn 2/);
  assert.equal(traces.files().length, 1);
  // The bench, the service, the load and the proxy.
  assert.ok(traces.processes().length >= 4);
  bench.kill("SIGINT");
  const { code, stderr } = await bench.finished();
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^bench: Interrupted$/m);
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});

testWith(notHere, "a bench of what it does not know is refused", async () => {
  await using bench = new Running([...COMMAND, "--rows=request,nonsense"]);
  const { code, stderr } = await bench.finished();
  assert.equal(code, 2);
  assert.match(stderr, /"nonsense" is none of request, connection, /);
  await using other = new Running(COMMAND, { env: { BENCH_PEERS: "haproxy-3.2" } });
  const said = await other.finished();
  assert.equal(said.code, 2);
  assert.match(said.stderr, /^bench: BENCH_PEERS cannot be used: "haproxy-3.2" is not NAME=PATH/m);
});
