import fc from "fast-check";
import assert from "node:assert/strict";
import { Hindsight } from "../../../lib/relay/epoll/hindsight.ts";

const SOCKETS = 20;
const MOST = 4;

/** What the system does in a turn: sockets become ready, time passes, or a signal interrupts it. */
const turns = fc.array(
  fc.record({
    ready: fc.array(fc.nat(SOCKETS - 1), { maxLength: SOCKETS }),
    passes: fc.nat(10_000),
    interrupted: fc.boolean(),
  }),
  { maxLength: 60 },
);

Deno.test("whatever came before the time of which a loop is sure has been handled", () => {
  fc.assert(fc.property(turns, (turns) => {
    const hindsight = new Hindsight();
    /** Sockets that are ready, each once, and since when; first come, first told. */
    const ready = new Map<number, number>();
    let now = 0;
    for (const turn of turns) {
      hindsight.ask(now, SOCKETS);
      for (const socket of turn.ready) if (!ready.has(socket)) ready.set(socket, now);
      now += turn.passes;
      const told = turn.interrupted ? [] : [...ready.keys()].slice(0, MOST);
      for (const socket of told) ready.delete(socket);
      hindsight.handled(turn.interrupted ? -1 : told.length, MOST);
      for (const since of ready.values()) assert(since >= hindsight.asOf);
    }
  }));
});

Deno.test("a loop becomes sure of a time though its sockets are always ready", () => {
  const hindsight = new Hindsight();
  for (let now = 0; now < 100; now++) {
    hindsight.ask(now, SOCKETS);
    hindsight.handled(MOST, MOST);
  }
  assert(hindsight.asOf >= 99 - 2 * SOCKETS / MOST);
});
