import assert from "node:assert/strict";
import { Running } from "../support/programs.ts";
import { Traces } from "../support/traces.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

const COMMAND = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
  new URL("demo.ts", import.meta.url).pathname,
];
const NOTHING_LEFT = { files: [], processes: [] };

/** What must happen, one after the other. */
const EVENTS = [
  /server v1 +listens on/,
  /proxy +stands in front of it/,
  /client 1 +hello → Hello from v1!/,
  /proxyctl +\$ proxyctl drain/,
  /proxyctl +Draining .* 1 active/,
  /client 2 +connects and says hello/,
  /client 2 +is held/,
  /client 1 +hello → Hello from v1!/,
  /client 1 +quit/,
  /proxyctl +Drained after/,
  /server v2 +listens on/,
  /server v1 +is stopped/,
  /proxyctl +\$ proxyctl retarget/,
  /proxyctl +\$ proxyctl resume/,
  /proxyctl +Resumed; 1 client was held/,
  /client 2 +hello → Hello from v2!/,
  /proxyctl +\$ proxyctl drain --suspend-quiet/,
  /proxyctl +Drained after/,
  /client 2 +is connected still/,
  /server v3 +listens on/,
  /server v2 +is stopped/,
  /proxyctl +Resumed/,
  /client 2 +hello → Hello from v3!/,
  /client 2 +quit/,
];

Deno.test("the demo tells of an upgrade in which nothing is lost, and leaves nothing", async () => {
  await using traces = await Traces.open();
  await using demo = new Running(COMMAND, traces.options);
  const { code, stdout, stderr } = await demo.finished();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assert.match(stdout, /^1 held \([\d.]+ s\), 0 refused, 0 reset, 0 lost; drained \d+ ms after/m);
  assert.ok(!stdout.includes("\x1b"), "no colours elsewhere than on a terminal");
  let from = 0;
  for (const event of EVENTS) {
    const match = event.exec(stdout.slice(from));
    assert.ok(match, `${event} is missing after ${stdout.slice(0, from)}`);
    from += match.index + match[0].length;
  }
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});

testWith(onlyForLong, "the demo leaves nothing when it is interrupted", async () => {
  await using traces = await Traces.open();
  await using demo = new Running(COMMAND, traces.options);
  await demo.heard(/client 2 +connects/, "stdout");
  assert.equal(traces.files().length, 1);
  // The demo, the server, the proxy, the drain and the clients: so they would be seen later.
  if (Deno.build.os === "linux") assert.ok(traces.processes().length >= 6);
  demo.kill("SIGINT");
  const { code, stderr } = await demo.finished();
  assert.deepEqual({ code, stderr }, { code: 130, stderr: "demo: Interrupted\n" });
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});
