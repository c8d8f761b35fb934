import assert from "node:assert/strict";
import { echo, unusedAddress } from "../relay/peer.ts";
import { complete, type Finished } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** What was printed is one line of JSON. @returns its exit code, and the error in it */
function read({ code, stdout, stderr }: Finished) {
  assert.match(stdout, /^[^\n]+\n$/);
  const { error, ...rest } = JSON.parse(stdout);
  assert.ok(stderr.includes(`proxyctl: ${error.message}`) || rest.outcome || rest.would, stderr);
  return [code, error.code];
}

Deno.test("with --json every failure is JSON on stdout, whatever the exit code", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using temporary = await TemporaryDirectory.make();
  const ctl = async (...args: string[]) => read(await proxy.ctl([...args, "--json"]));
  const elsewhere = ["--runtime-dir", temporary.path, "status", "--json"];
  assert.deepEqual(read(await complete("proxyctl", elsewhere)), [3, "no_proxy"]);
  assert.deepEqual(await ctl("drain", "--timeout", "soon"), [2, "bad_usage"]);
  assert.deepEqual(await ctl("kill", "1"), [8, "no_such_connection"]);
  assert.deepEqual(await ctl("park"), [8, "wrong_state"]);
  assert.deepEqual(await ctl("wait", "--for", "parked", "--timeout", "0s"), [4, "deadline"]);

  using _client = await proxy.served();
  const late = await proxy.ctl(["drain", "--timeout", "1ms", "--json"]);
  assert.deepEqual(read(late), [4, "deadline"]);
  const { outcome, blockers } = JSON.parse(late.stdout);
  assert.deepEqual([outcome, blockers.length], ["deadline", 1]);

  const drain = { owner: "me", wait: false, closeIdle: "1ms" };
  await proxy.request("POST", "/v1/drain", drain);
  await proxy.until(({ state }) => state === "drained");
  assert.deepEqual(await ctl("drain", "--owner", "you"), [5, "held_by_another"]);
  assert.deepEqual(await ctl("drain", "--owner", "you", "--dry-run"), [5, "held_by_another"]);
  await proxy.retarget(await unusedAddress());
  const resume = ["resume", "--owner", "me", "--wait-upstream", "0s"];
  assert.deepEqual(await ctl(...resume), [7, "upstream_unreachable"]);
});

Deno.test("without --json, or where it is another command's, stdout has no failure", async () => {
  await using temporary = await TemporaryDirectory.make();
  for (const words of [["status"], ["with-drain", "--", "true", "--json"], ["metrics"]]) {
    const args = ["--runtime-dir", temporary.path, ...words];
    const { code, stdout } = await complete("proxyctl", args);
    assert.deepEqual([code, stdout], [3, ""], words.join(" "));
  }
});
