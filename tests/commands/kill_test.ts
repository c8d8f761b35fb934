import assert from "node:assert/strict";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";

Deno.test("kill", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using client = await proxy.served();
  const [{ id }] = JSON.parse((await proxy.request("GET", "/v1/connections")).text).connections;
  const killed = await proxy.ctl(["kill", `${id}`]);
  assert.deepEqual([killed.code, killed.stdout], [0, `Killed connection ${id}\n`]);
  assert.equal(await client.ending, "reset");
  const again = await proxy.ctl(["kill", `${id}`, "--json"]);
  const error = { code: "no_such_connection", message: `There is no connection ${id}` };
  assert.deepEqual([again.code, JSON.parse(again.stdout)], [8, { error }]);
  assert.equal(again.stderr, `proxyctl: ${error.message}\n`);
});

/** The connections of a proxy, in the order in which they came. */
async function idsOf(proxy: Proxy): Promise<number[]> {
  const { connections } = JSON.parse((await proxy.request("GET", "/v1/connections")).text);
  return connections.map(({ id }: { id: number }) => id);
}

Deno.test("several are killed by their ids, and those that are missing are named, with 8", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using first = await proxy.served();
  using second = await proxy.served();
  using third = await proxy.served();
  const [one, , last] = await idsOf(proxy);
  const { code, stdout, stderr } = await proxy.ctl(["kill", `${one}`, "12345", `${last}`]);
  assert.deepEqual([code, stdout], [8, "Killed 2 connections\n"]);
  assert.equal(stderr, "proxyctl: There is no connection 12345\n");
  assert.deepEqual([await first.ending, await third.ending], ["reset", "reset"]);
  await second.send("on");
  assert.equal(await second.read(2), "on");
});

Deno.test("those of a network, and those that are idle, are killed, and no others", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using client = await proxy.served();
  const [id] = await idsOf(proxy);
  for (const filter of [["--peer", "10.0.0.0/8"], ["--idle", "1h"]]) {
    const { code, stderr } = await proxy.ctl(["kill", ...filter]);
    assert.deepEqual([code, stderr], [8, "proxyctl: There is no such connection\n"]);
  }
  assert.deepEqual(await idsOf(proxy), [id]);
  const args = ["kill", "--peer", "127.0.0.0/8", "--idle", "0s", "--json"];
  const { code, stdout } = await proxy.ctl(args);
  assert.deepEqual([code, JSON.parse(stdout)], [0, { killed: [id] }]);
  assert.equal(await client.ending, "reset");
});
