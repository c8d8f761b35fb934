import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, without } from "../support/tools.ts";

const STATUS_FIELDS = [
  ["state", "string"],
  ["active", "number"],
  ["queued", "number"],
  ["suspended", "number"],
  ["heldSince", null],
  ["queueLimit", "number"],
  ["listen", "string"],
  ["upstream", "string"],
  ["owner", null],
  ["reason", null],
  ["since", null],
  ["deadline", null],
  ["leaseExpires", null],
  ["keeper", null],
  ["parkedUntil", null],
  ["accepted", "number"],
  ["bytesUp", "number"],
  ["bytesDown", "number"],
  ["relay", "string"],
  ["threads", "number"],
  ["pid", "number"],
  ["version", "string"],
  ["startedAt", "string"],
  ["machine", "string"],
  ["directory", "string"],
  ["lastDrain", null],
];

const curlIsMissing = without("curl");

/** Asks with curl as a person would, one word an argument. */
async function curl(proxy: Proxy, path: string, ...args: string[]) {
  await using running = new Running([
    "curl",
    "--silent",
    "--show-error",
    "--unix-socket",
    proxy.controlSocket,
    "--write-out",
    "\n%{http_code} %{content_type}",
    ...args,
    `http://proxy${path}`,
  ]);
  const { stdout, stderr } = await running.finished();
  assert.equal(stderr, "");
  const end = stdout.lastIndexOf("\n");
  const [code, ...type] = stdout.slice(end + 1).split(" ");
  return { code: Number(code), type: type.join(" "), text: stdout.slice(0, end) };
}

testWith(curlIsMissing, "every endpoint answers to plain curl", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.served();

  const status = await curl(proxy, "/v1/status");
  assert.deepEqual([status.code, status.type], [200, "application/json"]);
  const fields = Object.entries(JSON.parse(status.text));
  assert.deepEqual(
    fields.map(([name, value]) => [name, value === null ? null : typeof value]),
    STATUS_FIELDS,
  );

  assert.deepEqual(JSON.parse((await curl(proxy, "/v1/history")).text), { drains: [] });

  // The client may know of bytes before they are counted.
  await proxy.until(({ bytesDown }) => bytesDown === 2);
  const listed = JSON.parse((await curl(proxy, "/v1/connections")).text).connections;
  assert.equal(listed.length, 1);
  const { id, peer, upstream, state, ageSeconds, idleSeconds, bytesUp, bytesDown } = listed[0];
  assert.deepEqual([peer, upstream, state, bytesUp, bytesDown], [
    client.name,
    formatAddress(service.address),
    "established",
    2,
    2,
  ]);
  assert.ok(idleSeconds >= 0 && ageSeconds >= idleSeconds);

  const killed = await curl(proxy, `/v1/connections/${id}`, "-X", "DELETE");
  assert.deepEqual([killed.code, JSON.parse(killed.text)], [200, { killed: id }]);
  assert.equal(await client.ending, "reset");

  const drained = await curl(proxy, "/v1/drain", "-d", '{"owner":"me","lease":"none"}');
  assert.deepEqual([drained.code, drained.type], [200, "application/x-ndjson"]);
  assert.equal(JSON.parse(drained.text).outcome, "drained");

  const body = JSON.stringify({ upstream: "[::1]:80" });
  const retargeted = await curl(proxy, "/v1/upstream", "-X", "PUT", "-d", body);
  assert.deepEqual([retargeted.code, JSON.parse(retargeted.text)], [200, {
    upstream: "[::1]:80",
    elsewhere: 0,
    retargets: 1,
    previous: formatAddress(service.address),
  }]);
  const target = await curl(proxy, "/v1/upstream");
  assert.deepEqual([target.code, JSON.parse(target.text)], [200, {
    upstream: "[::1]:80",
    elsewhere: 0,
    retargets: 1,
  }]);

  const released = await curl(proxy, "/v1/released", "-d", '{"owner":"me"}');
  assert.deepEqual([released.code, JSON.parse(released.text)], [200, {
    state: "drained",
    active: 0,
  }]);

  const resumed = await curl(proxy, "/v1/resume", "-d", '{"owner":"me"}');
  assert.deepEqual([resumed.code, JSON.parse(resumed.text)], [200, {
    changed: true,
    absorbed: false,
    held: 0,
    longestHoldSeconds: 0,
    message: "Resumed; nobody was held",
  }]);

  const metrics = await curl(proxy, "/metrics");
  assert.equal(metrics.code, 200);
  assert.match(metrics.type, /^text\/plain; version=0\.0\.4/);
  assert.deepEqual((await curl(proxy, "/healthz")).text, "ok\n");
  for (const path of ["/v1/status", "/v1/connections"]) {
    const head = await curl(proxy, path, "--head");
    assert.equal(head.code, 200);
    assert.doesNotMatch(head.text, /"state"|"connections"/);
  }
});

Deno.test("a drain says a line a second while it waits, and its outcome as the last", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  const drain = proxy.request("POST", "/v1/drain", { owner: "me", timeout: "2500ms" });
  const lines = (await drain).text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const last = lines.pop();
  assert.equal(last.outcome, "deadline");
  // Not more often, and on a machine that is not busy not less.
  assert.ok(lines.length >= 2, `${lines.length} lines`);
  for (const [second, { state, active, queued, waitedSeconds, blockers }] of lines.entries()) {
    assert.deepEqual([state, active, queued, blockers.length], ["draining", 1, 0, 1]);
    assert.ok(waitedSeconds >= second - 0.1);
  }
  assert.equal(last.blockers[0].peer, active.name);
});

Deno.test("what a drain would do is told by a dry run, which changes nothing", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _active = await proxy.served();
  const dryRun = async (owner: string) => {
    const answer = await proxy.request("POST", "/v1/drain", { owner, dryRun: true });
    assert.equal(answer.status, 200);
    return JSON.parse(answer.text).would;
  };
  assert.equal(await dryRun("me"), "drain");
  assert.equal((await proxy.status()).state, "open");
  await proxy.request("POST", "/v1/drain", { owner: "me", wait: false });
  assert.equal(await dryRun("me"), "join");
  assert.equal(await dryRun("you"), "be refused");
  assert.equal((await proxy.status()).owner, "me");
});

const REFUSED: [method: string, path: string, body: string, status: number, says: RegExp][] = [
  ["GET", "/nowhere", "", 404, /There is no \/nowhere here; there is: \/ \/v1\/status /],
  ["POST", "/", "", 405, /takes GET, not POST/],
  ["GET", "/v1/", "", 404, /no \/v1\/ here/],
  ["GET", "//v1/status", "", 404, /no \/\/v1\/status/],
  ["GET", "/constructor", "", 404, /no \/constructor/],
  ["POST", "/v1/status", "", 405, /takes GET, not POST/],
  ["GET", "/v1/drain", "", 405, /takes POST, not GET/],
  ["HEAD", "/v1/drain", "", 405, /^$/],
  ["DELETE", "/v1/connections", "", 405, /takes GET/],
  ["GET", "/v1/connections/1", "", 405, /takes DELETE/],
  ["DELETE", "/v1/connections/1", "", 404, /There is no connection 1/],
  ["DELETE", "/v1/connections/", "", 404, /no connection/],
  ["DELETE", "/v1/connections/1e0", "", 404, /no connection 1e0/],
  ["DELETE", "/v1/connections/99999999999999999999", "", 404, /no connection/],
  ["POST", "/v1/drain", "", 400, /The field \\"owner\\" is missing/],
  ["POST", "/v1/drain", "{", 400, /The body is not JSON/],
  ["POST", "/v1/drain", "null", 400, /The body is not a JSON object/],
  ["POST", "/v1/drain", '"me"', 400, /The body is not a JSON object/],
  ["POST", "/v1/drain", "[]", 400, /The field \\"owner\\" is missing/],
  [
    "POST",
    "/v1/drain",
    '{"owner":"me","timout":"1s"}',
    400,
    /no field \\"timout\\"; there is: owner reason timeout/,
  ],
  ["POST", "/v1/drain", '{"owner":"me","__proto__":1}', 400, /field/],
  ["POST", "/v1/drain", '{"owner":""}', 400, /owner: expected 1 to 200 characters/],
  ["POST", "/v1/drain", '{"owner":"a\\nb"}', 400, /owner: .*no control characters/],
  ["POST", "/v1/drain", '{"owner":"a\\u202eb"}', 400, /owner: .*nor any that are not seen/],
  ["POST", "/v1/drain", '{"owner":"a","reason":"\\u2028"}', 400, /reason: .*no control/],
  ["POST", "/v1/drain", '{"owner":7}', 400, /owner: expected a string, but got 7/],
  ["POST", "/v1/drain", '{"owner":"me","timeout":5}', 400, /timeout: expected a string, but got 5/],
  ["POST", "/v1/drain", '{"owner":"me","timeout":"5"}', 400, /timeout: \\"5\\" is no duration/],
  ["POST", "/v1/drain", '{"owner":"me","exclusive":"no"}', 400, /exclusive: expected a boolean/],
  ["POST", "/v1/drain", '{"owner":"me","attached":true}', 400, /attached drain must be exclusive/],
  [
    "POST",
    "/v1/drain",
    '{"owner":"me","closeRemaining":true,"timeout":"none"}',
    400,
    /needs a timeout/,
  ],
  ["POST", "/v1/resume", '{"owner":"me","waitUpstream":"none"}', 400, /waitUpstream: none is not/],
  ["PUT", "/v1/upstream", "{}", 400, /The field \\"upstream\\" is missing/],
  [
    "PUT",
    "/v1/upstream",
    '{"upstream":"x"}',
    400,
    /upstream: \\"x\\" is no address: expected HOST:PORT/,
  ],
  ["POST", "/v1/drain", `{"owner":"${"x".repeat(64 * 1024)}"}`, 413, /larger than 65536 bytes/],
];

Deno.test("what is wrong with a request is told in words, and nothing changes", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  for (const [method, path, body, status, says] of REFUSED) {
    const answer = await proxy.request(method, path, body);
    const what = `${method} ${path} ${body.slice(0, 100)}: ${answer.text}`;
    assert.equal(answer.status, status, what);
    assert.match(answer.text, says, what);
    if (method !== "HEAD") {
      assert.deepEqual(Object.keys(JSON.parse(answer.text)), ["error"], what);
      assert.deepEqual(Object.keys(JSON.parse(answer.text).error), ["code", "message"], what);
    }
  }
  const { state, upstream } = await proxy.status();
  assert.deepEqual([state, upstream], ["open", formatAddress(service.address)]);
  assert.deepEqual(proxy.log().map(({ event }) => event), ["listen"]);
});

Deno.test("a refused drain says so as an error and as an outcome", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await proxy.request("POST", "/v1/drain", { owner: "me" });
  const { status, text } = await proxy.request("POST", "/v1/drain", { owner: "you" });
  const { outcome, error } = JSON.parse(text);
  assert.deepEqual([status, outcome, error.code], [409, "refused", "held_by_another"]);
});

Deno.test("a request with an address that is none is a bad one, and nothing for the log", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  for (
    const head of ["/v1/status HTTP/1.1\r\nHost: [bad", "http://a:999999/ HTTP/1.1\r\nHost: a"]
  ) {
    using socket = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
    await socket.write(new TextEncoder().encode(`GET ${head}\r\n\r\n`));
    const answer = new Uint8Array(1000);
    const count = await socket.read(answer) ?? 0;
    assert.match(new TextDecoder().decode(answer.subarray(0, count)), /^HTTP\/1\.1 400 /);
  }
  assert.deepEqual(proxy.log().map(({ event }) => event), ["listen"]);
});
