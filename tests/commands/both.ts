import assert from "node:assert/strict";
import type { Proxy } from "../support/proxy.ts";

/** Runs a verb for people and for programs; both must succeed. */
export async function both(proxy: Proxy, ...args: string[]) {
  const text = await proxy.ctl(args);
  const json = await proxy.ctl([...args, "--json"]);
  assert.deepEqual([text.code, json.code], [0, 0], `${text.stderr}${json.stderr}`);
  assert.equal(json.stdout.split("\n").length, 2, "one line");
  return { text: text.stdout, json: JSON.parse(json.stdout), stderr: text.stderr + json.stderr };
}
