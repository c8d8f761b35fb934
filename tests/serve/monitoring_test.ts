import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { ask } from "./ask.ts";
import { site } from "./site.ts";

const folder = new URL("../../docs/monitoring/", import.meta.url).pathname;
const rules = Deno.readTextFileSync(`${folder}rules.yml`);
const dashboard = JSON.parse(Deno.readTextFileSync(`${folder}dashboard.json`)) as {
  panels: { id: number; title: string; gridPos: object; targets: { expr: string }[] }[];
  annotations: { list: { target: { expr: string } }[] };
};
const queries = [
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ target }) => target.expr),
];

async function promtool(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("promtool", { args }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, said };
}

testWith(without("promtool"), "every alert comes when it should, and only then", async () => {
  for (const args of [["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]]) {
    const file = `${folder}${args.pop()}`;
    const { code, said } = await promtool(...args, file);
    assert.equal(code, 0, said);
  }
  const tests = Deno.readTextFileSync(`${folder}rules_test.yml`);
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.ok(alerts.length >= 8);
  for (const name of alerts) {
    assert.match(tests, new RegExp(`alertname: ${name}\\n +exp_alerts:`), `${name} is never seen`);
    assert.match(tests, new RegExp(`alertname: ${name} \\}`), `${name} is always seen`);
  }
});

testWith(
  without("promtool"),
  "what the dashboard asks for is understood by Prometheus",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const records = queries.map((expr, index) => ({
      record: `query:${index}`,
      // As Grafana fills them in.
      expr: expr.replaceAll(/\$__(?:rate_)?interval/g, "1m").replaceAll("$listen", ".*"),
    }));
    const file = `${temporary.path}/rules.json`;
    // JSON is YAML as well.
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "all", rules: records }] }));
    const { code, said } = await promtool("check", "rules", file);
    assert.equal(code, 0, said);
    assert.match(said, new RegExp(`${queries.length} rules found`));
  },
);

Deno.test("alerts and dashboard look at metrics that there are", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using served = await site([proxy.directory]);
  using _client = await proxy.served();
  await proxy.drain({ closeRemaining: true, timeout: "1ms" });
  const { body } = await until(
    () => ask(served.address, "/metrics"),
    ({ body }) => /^disnix_tcp_proxy_up\{.*\} 1$/m.test(body),
  );
  // The deadline is over; there may be a lease, and no connection.
  const known = new Set([...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const asked = [rules, ...queries].flatMap((text) =>
    [...text.matchAll(/disnix_tcp_proxy_\w+/g)].map(([name]) => name.replace(/_bucket$/, ""))
  );
  assert.ok(asked.length > 20);
  assert.deepEqual([...new Set(asked)].filter((name) => !known.has(name)), []);
});
