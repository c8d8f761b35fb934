import assert from "node:assert/strict";
import type { Status } from "../../lib/control/api.ts";
import { exposition } from "../../lib/serve/exposition.ts";
import { testWith, without } from "../support/tools.ts";

const parked = { state: "parked", queued: 2, suspended: 0, heldSince: null } as unknown as Status;
const text = (active: number) =>
  `# HELP x_active How many
# TYPE x_active gauge
x_active ${active}

# HELP x_bytes_total Bytes
# TYPE x_bytes_total counter
x_bytes_total{direction="up"} 1
x_bytes_total{direction="down"} 2
`;
const proxies = [
  { listen: "127.0.0.1:1", status: {} as Status, text: text(1) },
  { listen: 'b "\\', status: {} as Status, text: text(2) },
  { listen: "parked", status: parked, text: null },
  { listen: "gone", status: null, text: null },
];

Deno.test("each metric is explained once, and each of its samples says whose it is", () => {
  const lines = exposition(proxies).split("\n");
  const heads = lines.filter((line) => line.startsWith("#"));
  assert.equal(new Set(heads).size, heads.length);
  assert.deepEqual(lines.slice(lines.indexOf("# TYPE x_active gauge") + 1).slice(0, 7), [
    'x_active{listen="127.0.0.1:1"} 1',
    'x_active{listen="b \\"\\\\"} 2',
    "",
    "# HELP x_bytes_total Bytes",
    "# TYPE x_bytes_total counter",
    'x_bytes_total{listen="127.0.0.1:1",direction="up"} 1',
    'x_bytes_total{listen="127.0.0.1:1",direction="down"} 2',
  ]);
  const up = lines.filter((line) => line.startsWith("disnix_tcp_proxy_up{"));
  assert.deepEqual(up.map((line) => line.at(-1)), ["1", "1", "1", "0"]);
  assert.ok(lines.includes('disnix_tcp_proxy_state{listen="parked",state="parked"} 1'));
});

testWith(without("promtool"), "Prometheus reads them all", async () => {
  const command = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // It wants the names of the fake ones better explained, but has to be able to read them.
  await new Blob([exposition(proxies)]).stream().pipeTo(command.stdin);
  const { code, stderr } = await command.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
