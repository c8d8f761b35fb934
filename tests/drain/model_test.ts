/**
 * Anything, in any order, with I/O that takes its time, fails, or is cut short by a crash: the
 * promises of the drain hold. `model.ts` says what they are.
 *
 * @module
 */

import fc from "fast-check";
import { brieflyOr } from "../support/long.ts";
import { Model } from "./model.ts";
import { request } from "./fake_proxy.ts";

/** Something that happens to a proxy. */
interface Happening {
  /** So that fast-check can print it. */
  readonly toString: () => string;
  readonly happen: (model: Model) => Promise<void> | void;
}

function happening<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  happen: (model: Model, value: T) => Promise<void> | void,
): fc.Arbitrary<Happening> {
  return arbitrary.map((value) => ({
    toString: () => `${name} ${JSON.stringify(value)}`,
    happen: (model) => happen(model, value),
  }));
}

const owner = fc.constantFrom("ann", "ann", "bob");
const seldom = fc.integer({ min: 0, max: 9 }).map((value) => value > 7);
const index = fc.nat({ max: 20 });
const fault = fc.constantFrom("before" as const, "after" as const);

const anyRequest = fc.record({
  owner,
  exclusive: seldom,
  how: fc.constantFrom("wait", "wait", "no wait", "attached"),
  timeout: fc.constantFrom(null, 3000, 60_000),
  lease: fc.constantFrom(null, 10_000, 3_600_000, 30 * 24 * 3_600_000),
  closeIdle: fc.constantFrom(null, null, 2000),
  closeRemaining: seldom,
  suspendQuiet: fc.constantFrom(undefined, null, 50),
  release: seldom,
}).map(({ how, ...rest }) =>
  request({
    ...rest,
    wait: how !== "no wait",
    release: rest.release && how !== "no wait",
    attached: how === "attached",
    // With whom an attached drain ends, nobody else may share it.
    exclusive: rest.exclusive || how === "attached",
  })
);

const drain = happening("drain", anyRequest, (model, value) => model.drain(value));

const resume = happening(
  "resume",
  fc.record({ owner, force: seldom }),
  (model, { owner, force }) => model.resume(owner, force),
);

const resumeByOwner = happening("resume by the owner", fc.constant(null), (model) => {
  if (model.owner !== null) model.resume(model.owner, false);
});

const release = happening("release", owner, (model, owner) => model.release(owner));

const hear = happening("hear", index, (model, value) => {
  const { hearing } = model;
  const one = hearing[value % hearing.length];
  if (one !== undefined) model.hear(one);
});

const leave = happening("leave", index, (model, value) => {
  const { present } = model;
  const one = present[value % present.length];
  if (one !== undefined) model.leave(one);
});

const arrive = happening("arrive", fc.constant(null), (model) => model.proxy.relay.arrive());

const connectionEvent = (name: "finish" | "touch") =>
  happening(name, index, (model, value) => {
    const { relay } = model.proxy;
    const connections = relay.connections();
    const one = connections[value % connections.length];
    if (one !== undefined) relay[name](one.id);
  });

const finishAll = happening(
  "finish all",
  fc.constant(null),
  (model) => model.proxy.relay.finishAll(),
);

const step = happening("step", index, (model, value) => model.step(value));

const settle = happening("settle", fc.constant(null), async (model) => {
  await model.settle();
  if (!model.freezing) await model.checkAtRest();
});

const pass = happening(
  "pass",
  fc.record({
    milliseconds: fc.constantFrom(1, 999, 2000, 3000, 10_000, 60_000, 299_999, 300_000, 3_600_000),
    stuck: fc.boolean(),
  }),
  (model, { milliseconds, stuck }) => model.pass(milliseconds, stuck),
);

const retarget = happening(
  "retarget",
  fc.integer({ min: 1, max: 3 }),
  (model, value) => model.retarget(value),
);

const failure = happening(
  "failure",
  fc.record({ what: fc.constantFrom("failWrite" as const, "failRemove" as const), fault }),
  (model, { what, fault }) => {
    model.disk[what] = fault;
  },
);

const crash = happening(
  "crash",
  fc.record({
    downtime: fc.constantFrom(1, 4000, 100_000, 3_600_000),
    jump: fc.constantFrom(0, 0, 0, -1_000_000),
    startDrained: seldom,
    upstream: fc.constantFrom("old.example:80", "old.example:80", "other.example:80"),
    clients: fc.nat({ max: 2 }),
  }),
  async (model, { downtime, jump, startDrained, upstream, clients }) => {
    model.crash(downtime, jump);
    await model.start(startDrained, upstream);
    for (let client = 0; client < clients; client++) model.proxy.relay.arrive();
  },
);

const stop = happening("stop", fc.constant(null), (model) => model.stop());

const freeze = happening("freeze", fc.constant(null), (model) => model.freeze());

const thaw = happening("thaw", fc.constant(null), (model) => model.thaw());

const move = happening(
  "move",
  fc.constantFrom("old.example:80", "old.example:80", "other.example:80"),
  (model, value) => model.move(value),
);

const comeBack = happening("come back", index, (model, value) => {
  const { away } = model;
  const one = away[value % away.length];
  if (one !== undefined) model.comeBack(one);
});

const allComeBack = happening("all come back", fc.constant(null), (model) => {
  for (const one of model.away) model.comeBack(one);
});

const anything = fc.oneof(
  { weight: 6, arbitrary: drain },
  { weight: 3, arbitrary: resume },
  { weight: 2, arbitrary: resumeByOwner },
  { weight: 3, arbitrary: release },
  { weight: 3, arbitrary: leave },
  { weight: 3, arbitrary: hear },
  { weight: 5, arbitrary: arrive },
  { weight: 4, arbitrary: connectionEvent("finish") },
  { weight: 1, arbitrary: connectionEvent("touch") },
  { weight: 2, arbitrary: finishAll },
  { weight: 8, arbitrary: step },
  { weight: 6, arbitrary: settle },
  { weight: 4, arbitrary: pass },
  { weight: 2, arbitrary: retarget },
  { weight: 2, arbitrary: failure },
  { weight: 2, arbitrary: crash },
  { weight: 1, arbitrary: stop },
  { weight: 3, arbitrary: freeze },
  { weight: 2, arbitrary: thaw },
  { weight: 4, arbitrary: move },
  { weight: 3, arbitrary: comeBack },
  { weight: 3, arbitrary: allComeBack },
);

/** One proxy's life, which begins open. */
async function live(closeLater: boolean, happenings: readonly Happening[]): Promise<Model> {
  const model = new Model(closeLater);
  await model.start(false);
  for (const { happen } of happenings) {
    await happen(model);
    model.check();
  }
  await model.settle();
  model.thaw();
  await model.settle();
  await model.checkAtRest();
  model.disk.failWrite = model.disk.failRemove = null;
  return model;
}

function property(
  runs: number,
  finish: (model: Model) => Promise<void>,
): Promise<void> {
  const life = fc.array(anything, { maxLength: 60, size: "max" });
  return fc.assert(
    fc.asyncProperty(fc.boolean(), life, async (closeLater, happenings) => {
      await finish(await live(closeLater, happenings));
    }),
    { numRuns: runs },
  );
}

Deno.test("whatever happens, the promises of the drain hold, and its owner can always resume", () =>
  property(brieflyOr(300, 3000), async (model) => {
    if (!model.stopped) await model.resumeByOwner();
  }));

Deno.test("whatever happens, force resumes at once", () =>
  property(brieflyOr(100, 600), async (model) => {
    if (model.stopped) return;
    model.resume("somebody", true);
    await model.settle();
    await model.checkAtRest();
    if (model.proxy.drain.status.state !== "open") throw new Error("force did not resume");
  }));

Deno.test("whatever happens, who waits hears of the end once the connections are gone or the time is over", () =>
  property(brieflyOr(100, 600), async (model) => {
    if (model.stopped) return;
    model.proxy.relay.finishAll();
    if (model.owner !== null) model.release(model.owner);
    await model.settle();
    await model.checkAtRest();
    // Longer than any lease but "none".
    await model.pass(31 * 24 * 3_600_000, false);
    await model.settle();
    await model.checkAtRest();
    const { state, leaseExpires } = model.proxy.drain.status;
    if (state !== "open" && leaseExpires !== null) throw new Error("the lease did not end it");
  }));

Deno.test("whatever happens, a restart goes back to what the record says", () =>
  property(brieflyOr(150, 1000), async (model) => {
    for (const downtime of [1, 4_000_000]) {
      model.crash(downtime, 0);
      await model.start(false);
      await model.checkAtRest();
    }
  }));
