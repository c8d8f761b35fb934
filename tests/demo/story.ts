import { Failure } from "../../lib/failure.ts";
import type { Running } from "../support/programs.ts";
import { type Scene, succeeded } from "../support/scene.ts";
import { Client } from "./client.ts";
import { Operator } from "./operator.ts";
import type { Timeline } from "./timeline.ts";

/** For how long client 2 must have been silent, so that its service can be upgraded. */
const QUIET = "200ms";

/**
 * The story: a service is upgraded from v1 to v2 while two clients are there, and all that they
 * notice is that one of them waits a little for its first answer. That one stays while the service is
 * upgraded to v3, and does not notice even that.
 *
 * @throws {Failure} as soon as a promise is broken
 */
export async function tell(scene: Scene, timeline: Timeline): Promise<void> {
  timeline.say(
    "A service is upgraded from v1 to v2 to v3, and none of its clients loses anything.",
  );
  timeline.pause();

  const v1 = await startServer(scene, timeline, "v1");
  const proxy = scene.start("proxy", [
    ...["--log-format", "text", "--runtime-dir", scene.directory],
    ...["127.0.0.1:0", v1.address],
  ]);
  const [, door = ""] = await proxy.heard(/Listening on (127\.0\.0\.1:\d+), .*, open/);
  timeline.add("proxy", `stands in front of it on ${door}`);
  const operator = new Operator(scene, timeline);
  const first = new Client(scene, door, "client 1", timeline);
  await first.hello();
  await first.answeredWith(v1.greeting);

  timeline.pause();
  const drain = operator.begin("drain", "--reason", "upgrade to v2");
  const [progress] = await drain.heard(/^Draining for .*: 1 active.*?(?=, among|\n)/m);
  timeline.add("proxyctl", `${progress} …`);
  const second = new Client(scene, door, "client 2", timeline);
  await second.hello();
  timeline.add("client 2", "connects and says hello");
  await second.noticesThatItWaits();
  const { state, active, queued } = await operator.status();
  second.mustBeHeld();
  if (state !== "draining" || active !== 1 || queued !== 1) {
    throw new Failure(`The proxy is ${state} with ${active} active and ${queued} queued clients`);
  }
  timeline.add("client 2", "is held: neither answered nor refused");
  await first.hello();
  await first.answeredWith(v1.greeting);
  const drainedAt = drain.finished().then(() => performance.now());
  const leftAt = await first.quit();
  await operator.result(drain);
  const drainedAfter = await drainedAt - leftAt;

  timeline.pause();
  const v2 = await startServer(scene, timeline, "v2");
  v1.program.kill("SIGTERM");
  succeeded("server v1", await v1.program.finished());
  timeline.add("server v1", "is stopped");
  await operator.run("retarget", v2.address);
  // It was asked before v1 was gone: only a proxy that holds has kept that from v1 and from v2.
  second.mustBeHeld();

  timeline.pause();
  const resumed = await operator.run("resume", "--wait-upstream", "10s");
  await second.answeredWith(v2.greeting);

  timeline.pause();
  await operator.run("drain", "--suspend-quiet", QUIET, "--reason", "upgrade to v3");
  const { suspended } = await operator.status();
  if (suspended !== 1) throw new Failure(`${suspended} clients are suspended`);
  timeline.add("client 2", "is connected still, and its service need not be there");
  const v3 = await startServer(scene, timeline, "v3");
  v2.program.kill("SIGTERM");
  succeeded("server v2", await v2.program.finished());
  timeline.add("server v2", "is stopped");
  await operator.run("retarget", v3.address);
  await operator.run("resume", "--wait-upstream", "10s");
  await second.hello();
  await second.answeredWith(v3.greeting);
  await second.quit();
  for (const program of [proxy, v3.program]) program.kill("SIGTERM");
  succeeded("proxy", await proxy.finished());
  succeeded("server v3", await v3.program.finished());

  timeline.pause();
  const held = Number(/(\d+) clients? .* held/.exec(resumed)?.[1] ?? 0);
  const losses = [first, second].map((client) => client.losses);
  const total = (what: keyof Client["losses"]) => losses.reduce((sum, one) => sum + one[what], 0);
  const [refused, reset, lost] = [total("refused"), total("reset"), total("lost")];
  timeline.say(
    `${held} held (${(second.longestWait / 1000).toFixed(1)} s), ` +
      `${refused} refused, ${reset} reset, ${lost} lost; ` +
      `drained ${Math.round(drainedAfter)} ms after client 1 said quit`,
  );
  if (held !== 1 || refused + reset + lost > 0) throw new Failure("A promise was broken");
}

/** Starts a version of the service, which greets with its version. */
async function startServer(
  scene: Scene,
  timeline: Timeline,
  version: "v1" | "v2" | "v3",
): Promise<{ program: Running; address: string; greeting: string }> {
  const greeting = `Hello from ${version}!`;
  const program = scene.start("server", ["127.0.0.1:0", "--greeting", greeting]);
  const [, port] = await program.heard(/Listening on port (\d+)\b.*\n/);
  const address = `127.0.0.1:${port}`;
  timeline.add(`server ${version}`, `listens on ${address}`);
  return { program, address, greeting };
}
