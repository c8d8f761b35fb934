import assert from "node:assert/strict";
import { terminalOf } from "../../lib/linux/signals.ts";
import { meaningOf, proxySignals, startUnlessStopped } from "../../lib/proxy/signals.ts";
import type { Signal, Surroundings } from "../../lib/signals.ts";

const STAYS = { hadTerminal: true, hasTerminal: () => true };
const CUT_OFF = { hadTerminal: true, hasTerminal: () => false };
const NEVER_HAD = { hadTerminal: false, hasTerminal: () => false };

Deno.test("only SIGHUP depends on the terminal: gone since the start, it means to stop", () => {
  const all: [Signal, Surroundings, string][] = [
    ["SIGHUP", STAYS, "upgrade"],
    ["SIGHUP", CUT_OFF, "hang up"],
    ["SIGHUP", NEVER_HAD, "upgrade"],
    ...[STAYS, CUT_OFF, NEVER_HAD].flatMap((surroundings): [Signal, Surroundings, string][] => [
      ["SIGTERM", surroundings, "stop"],
      ["SIGINT", surroundings, "stop"],
      ["SIGQUIT", surroundings, "stop"],
      ["SIGUSR1", surroundings, "nothing"],
      ["SIGUSR2", surroundings, "nothing"],
    ]),
  ];
  for (const [signal, surroundings, meaning] of all) {
    assert.equal(meaningOf(signal, surroundings), meaning, signal);
  }
});

/** What comes of signals, one after the other. @param early those before anybody obeys */
async function heardOf(
  signals: readonly Signal[],
  surroundings: Surroundings,
  early: readonly Signal[] = [],
): Promise<string[]> {
  let tell: (signal: Signal, surroundings: Surroundings) => void = () => {};
  const { stop, cutShort, obey } = await proxySignals((told) => {
    tell = told;
    return Promise.resolve();
  });
  for (const signal of early) tell(signal, surroundings);
  const heard: string[] = [];
  void stop.then(() => heard.push("stop"));
  void cutShort.then(() => heard.push("cut"));
  obey({
    upgrade: (signal) => void heard.push(`upgrade for ${signal}`),
    ignored: (signal) => void heard.push(`ignored ${signal}`),
  });
  await Promise.resolve();
  for (const signal of signals) {
    tell(signal, surroundings);
    await Promise.resolve();
  }
  return heard;
}

Deno.test("a second signal cuts, but a hang-up is never the second", async () => {
  assert.deepEqual(await heardOf(["SIGTERM"], STAYS), ["stop"]);
  assert.deepEqual(await heardOf(["SIGTERM", "SIGQUIT"], STAYS), ["stop", "cut"]);
  assert.deepEqual(await heardOf(["SIGHUP", "SIGHUP"], CUT_OFF), ["stop"]);
  assert.deepEqual(await heardOf(["SIGTERM", "SIGHUP"], CUT_OFF), ["stop"]);
  assert.deepEqual(await heardOf(["SIGHUP", "SIGTERM"], CUT_OFF), ["stop", "cut"]);
  assert.deepEqual(await heardOf(["SIGTERM", "SIGUSR1", "SIGUSR2"], STAYS), [
    "stop",
    "ignored SIGUSR1",
    "ignored SIGUSR2",
  ]);
  assert.deepEqual(await heardOf(["SIGHUP", "SIGHUP"], STAYS), [
    "upgrade for SIGHUP",
    "upgrade for SIGHUP",
  ]);
});

Deno.test("who is asked to stop before it obeys stops, and is not upgraded", async () => {
  assert.deepEqual(await heardOf([], STAYS, ["SIGHUP", "SIGUSR1", "SIGTERM"]), ["stop"]);
});

Deno.test("who is asked for an upgrade before it obeys is upgraded once", async () => {
  assert.deepEqual(await heardOf([], STAYS, ["SIGHUP", "SIGUSR1", "SIGHUP"]), [
    "upgrade for SIGHUP",
  ]);
});

Deno.test("a start that gets nowhere ends when the proxy is to stop; one that gets on is finished", async () => {
  const stuck = new Promise<never>(() => {});
  await assert.rejects(startUnlessStopped(stuck, Promise.resolve(), 1), {
    message: "Stopped while it was starting",
  });
  const late = Promise.withResolvers<string>();
  const started = startUnlessStopped(late.promise, Promise.resolve(), 60_000);
  late.resolve("started");
  assert.equal(await started, "started");
  await assert.rejects(startUnlessStopped(Promise.reject(new Error("no")), stuck), /no/);
});

Deno.test("the terminal of a process is read whatever its program is called", () => {
  assert.equal(terminalOf("12 (a b) c) (d) S 1 12 12 34817 12 4194560 0"), 34817);
  assert.equal(terminalOf("12 (proxy) S 1 12 12 0 -1 4194560 0"), 0);
  assert.equal(terminalOf(""), 0);
});
