/** What proxyctl does with a proxy that is not what it says. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Failure } from "../../lib/failure.ts";
import { ControlClient } from "../../lib/control/client.ts";
import { complete } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** What a terminal obeys: colours, titles, the other direction, what is not seen; and lines. */
const EVIL = "\x1b[31m\x9b2J\x1b]0;t\x07\x7f\u202e\u2028\u200b\u{e0041}\nproxyctl: done";
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const connection = {
  ...{ id: 1, peer: EVIL, upstream: EVIL, state: EVIL, ageSeconds: 1, idleSeconds: 1 },
  ...{ bytesUp: 1, bytesDown: 1 },
};
const drain = { waitedSeconds: 1, active: 1, queued: 0, joined: true, blockers: [connection] };

/** What it answers to each request. */
const ANSWERS: Record<string, unknown> = {
  "GET /v1/status": {
    ...{ state: EVIL, active: 1, queued: 0, listen: EVIL, upstream: EVIL, owner: EVIL },
    ...{ reason: EVIL, since: EVIL, deadline: EVIL, leaseExpires: null, keeper: null },
    ...{ parkedUntil: null, accepted: 1, bytesUp: 1, bytesDown: 1, relay: EVIL, threads: 1 },
    ...{ pid: 1, version: EVIL, startedAt: EVIL, [EVIL]: EVIL },
  },
  "GET /v1/connections": { connections: [connection] },
  "POST /v1/drain": { ...drain, outcome: "deadline", message: EVIL, connectionsCut: 0 },
  "POST /v1/resume": { changed: true, absorbed: false, held: 0, message: EVIL },
};

/** A server at the control socket of a directory. */
function serve(directory: string, handler: (request: Request) => Response) {
  return Deno.serve({ path: join(directory, "control.sock"), onListen() {} }, handler);
}

Deno.test("nothing that a proxy says is obeyed by a terminal, and JSON is what it said", async () => {
  await using directory = await TemporaryDirectory.make();
  await using _proxy = serve(directory.path, ({ method, url }) => {
    const asked = `${method} ${new URL(url).pathname}`;
    const answer = ANSWERS[asked];
    if (answer !== undefined) return new Response(`${JSON.stringify(answer)}\n`);
    if (asked === "GET /metrics") return new Response(EVIL);
    return Response.json({ error: { code: "internal", message: EVIL } }, { status: 500 });
  });
  const verbs = ["status", "connections", "drain", "resume", "metrics", "kill 1", "status --json"];
  const env = { PROXYCTL_RUNTIME_DIR: directory.path };
  for (const verb of verbs) {
    const { stdout, stderr } = await complete("proxyctl", verb.split(" "), { env });
    assert.match(stdout + stderr, /\\u001b\[31m\\u009b2J/, verb);
    assert.doesNotMatch(stdout + stderr, OBEYED, verb);
    if (verb.endsWith("--json")) assert.deepEqual(JSON.parse(stdout), ANSWERS["GET /v1/status"]);
    if (verb === "status") assert.doesNotMatch(stdout, /^proxyctl/m);
  }
});

/** How long a client waits here, in milliseconds. */
const PATIENCE = 500;

/** An answer that comes in these pieces, one every so many milliseconds. */
function inPieces(pieces: readonly string[], pause: number): Response {
  return new Response(ReadableStream.from((async function* () {
    for (const piece of pieces) {
      yield new TextEncoder().encode(piece);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  })()));
}

Deno.test("an answer that drips has one time for all of it; one in lines, for each line", async () => {
  await using directory = await TemporaryDirectory.make();
  const client = new ControlClient(directory.path, PATIENCE);
  const body = { owner: "me" };
  const gaveUp = (error: unknown) => error instanceof Failure && /did not answer/.test(`${error}`);
  const dripping = [..." ".repeat(40), "{}\n"];
  const lines = [...'{"state":"draining"}\n'.repeat(20).split(/(?<=\n)/), "1"];
  {
    await using _proxy = serve(directory.path, () => inPieces(dripping, PATIENCE / 10));
    await assert.rejects(client.json("GET", "/v1/status"), gaveUp);
    await assert.rejects(Array.fromAsync(client.drain(body)), gaveUp);
  }
  {
    await using _proxy = serve(directory.path, () => inPieces(lines, PATIENCE / 10));
    const said = await Array.fromAsync(client.drain(body));
    assert.equal(said.length, 20);
  }
});
