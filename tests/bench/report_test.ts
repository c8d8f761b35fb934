import assert from "node:assert/strict";
import * as fc from "fast-check";
import { contenders } from "./contenders/all.ts";
import { type Figure, type Line, lineOf, type Turns } from "./figures.ts";
import { resultJson } from "./report/json.ts";
import { recordedSvg } from "./report/recorded.ts";
import { resultSvg } from "./report/svg.ts";
import { number, resultTable } from "./report/table.ts";
import { worse } from "./report/worse.ts";
import { rotated } from "./rotated.ts";
import { median, quantile } from "./statistics.ts";

const CONTENDERS = [
  { name: "direct", kind: "direct" },
  { name: "epoll", kind: "ours" },
  { name: "portable", kind: "ours" },
  { name: "haproxy", kind: "peer" },
  { name: "nginx", kind: "peer" },
] as const;

const COST: Figure = { of: "cpu", title: "µs", better: "less", goal: { ratio: 0.95 } };

/** One number a turn. */
function turns(numbers: Record<string, number[]>): Turns {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, all]) => [name, all.map((cpu) => ({ cpu }))]),
  );
}

const TURNS = turns({
  direct: [1, 1, 1],
  epoll: [5, 9, 4],
  portable: [20, 20, 20],
  haproxy: [10, 12, 11],
  nginx: [30, 9, 10],
});

Deno.test("the median is the number in the middle, or between the two there", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("a quantile is the smallest number that so many do not exceed", () => {
  const share = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(fc.property(fc.array(fc.nat(), { minLength: 1 }), share, (numbers, share) => {
    const found = quantile(numbers, share);
    const notMore = numbers.filter((one) => one <= found).length;
    const less = numbers.filter((one) => one < found).length;
    assert.ok(notMore >= share * numbers.length && less < share * numbers.length);
  }));
});

Deno.test("ours is compared with the best of the others, by the median", () => {
  const line = lineOf("request", COST, TURNS, CONTENDERS);
  assert.deepEqual(line.values, { direct: 1, epoll: 5, portable: 20, haproxy: 11, nginx: 10 });
  assert.equal(line.bestPeer, "nginx");
  assert.deepEqual(line.ratios, { epoll: 0.5, portable: 2 });
  assert.equal(line.met, true);
});

Deno.test("where more is better the best of the others is the one with most", () => {
  const { bestPeer, ratios } = lineOf("r", { ...COST, better: "more" }, TURNS, CONTENDERS);
  assert.equal(bestPeer, "haproxy");
  assert.equal(ratios["epoll"], 5 / 11);
});

Deno.test("the best turn counts where that is said, and what is added to the direct connection", () => {
  const line = lineOf("r", { ...COST, turn: "best", added: true }, TURNS, CONTENDERS);
  assert.deepEqual(line.values, { epoll: 3, portable: 19, haproxy: 9, nginx: 8 });
});

Deno.test("a goal is met up to its number, missed beyond it, and open if it cannot be told", () => {
  const met = (most: number, all: Turns) =>
    lineOf("r", { ...COST, goal: { atMost: most } }, all, CONTENDERS).met;
  assert.equal(met(5, TURNS), true);
  assert.equal(met(4.9, TURNS), false);
  assert.equal(met(5, turns({ haproxy: [1] })), null);
  assert.equal(lineOf("r", COST, turns({ epoll: [1] }), CONTENDERS).met, null);
});

Deno.test("there is no ratio to a peer that adds nothing", () => {
  const all = turns({ direct: [5], epoll: [7], haproxy: [4] });
  const line = lineOf("r", { ...COST, added: true }, all, CONTENDERS);
  assert.deepEqual([line.values, line.ratios], [{ epoll: 2, haproxy: -1 }, {}]);
});

Deno.test("what is worse than in a recorded run by more than its turns differ is named", () => {
  const lineWith = (epoll: number[], figure = COST) =>
    lineOf("request", figure, turns({ epoll, haproxy: epoll.map(() => 10) }), CONTENDERS);
  const recorded = (line: Line) =>
    JSON.stringify({
      date: "2026-11-22T10:00:00.000Z",
      lines: [{ row: "request", title: "µs", ratios: line.ratios, ranges: line.ranges }],
    });
  const then = recorded(lineWith([9, 10, 11]));
  assert.deepEqual(worse(then, [lineWith([11, 12, 13])]), []);
  assert.deepEqual(worse(then, [lineWith([1, 2, 3])]), []);
  assert.deepEqual(worse(then, [lineWith([12, 13, 14])]), [
    "Worse than on 2026-11-22: request: µs, epoll: 1.30 (1.20–1.40) of the best peer, " +
    "then 1.00 (0.90–1.10)",
  ]);
  const more = { ...COST, better: "more" } as const;
  assert.equal(worse(then, [lineWith([12, 13, 14], more)]).length, 0);
  assert.equal(worse(then, [lineWith([6, 7, 8], more)]).length, 1);
  assert.deepEqual(worse(then, [{ ...lineWith([50]), row: "other" }]), []);
});

Deno.test("more versions of a peer are measured beside it, each by its own name", () => {
  const names = (peers: string) => contenders(peers).map(({ name }) => name);
  assert.deepEqual(names("haproxy-3.2=/opt/a,x=/b").slice(-2), ["haproxy-3.2", "x"]);
  assert.deepEqual(names(`before=${import.meta.dirname}`).at(-1), "before");
  assert.deepEqual(names(""), names(","));
  for (const bad of ["haproxy", "a=relative", "=/a", "haproxy=/a", "a=/b,a=/c"]) {
    assert.throws(() => names(bad), RangeError, bad);
  }
});

Deno.test("each turn begins with another contender, in the same order", () => {
  assert.deepEqual([0, 1, 2, 3].map((turn) => rotated(["a", "b", "c"], turn).join("")), [
    "abc",
    "bca",
    "cab",
    "abc",
  ]);
  assert.deepEqual(rotated([], 1), []);
});

Deno.test("numbers have about three digits", () => {
  assert.deepEqual([undefined, 0, 1.234, 12.34, 99.96, 1234.5, -12.34].map(number), [
    "–",
    "0.00",
    "1.23",
    "12.3",
    "100",
    "1235",
    "-12.3",
  ]);
});

Deno.test("the table names the best of the others, the ratios and the goals", () => {
  const lines = [
    lineOf("request", COST, TURNS, CONTENDERS),
    lineOf("slow", COST, turns({ epoll: [2], haproxy: [1] }), CONTENDERS),
  ];
  assert.deepEqual(resultTable(lines, ["direct", "epoll", "haproxy", "nginx"]).split("\n"), [
    "             direct  epoll  haproxy  nginx      epoll : best  goal",
    "request: µs    1.00   5.00     11.0  10.0*  0.50 (0.17–1.00)  ≤ 0.95× met",
    "slow: µs          –   2.00    1.00*      –              2.00  ≤ 0.95× MISSED",
    "",
    "* the best of the others; in parentheses the least and the most of all turns",
    "",
  ]);
});

Deno.test("the plot has a bar for each ratio, to the left of the best peer if ours needs less", () => {
  const lines = [
    lineOf("request", COST, TURNS, CONTENDERS),
    lineOf("rate", { ...COST, better: "more" }, TURNS, CONTENDERS),
  ];
  const svg = resultSvg(lines, "a < b & c");
  const bars = [...svg.matchAll(/<rect class="ours(\d)" x="([\d.]+)" y="8\d" width="([\d.]+)"/g)];
  const [, best] = /<line class="best" x1="([\d.]+)"/.exec(svg) ?? [];
  assert.deepEqual(bars.length, 1);
  assert.equal(Number(bars[0]?.[2]) + Number(bars[0]?.[3]), Number(best));
  assert.ok(svg.includes("a &lt; b &amp; c") && !svg.includes("rate"));
});

Deno.test("a run that was recorded is drawn as it was measured", () => {
  const lines = [
    lineOf("request", { ...COST, goal: { ratio: 0.8 } }, TURNS, CONTENDERS),
    lineOf("rate", { ...COST, better: "more" }, TURNS, CONTENDERS),
  ];
  const date = new Date("2026-11-22T10:00:00Z");
  const run = { date, turns: 3, seconds: 0.5, lines, measured: {}, failed: [] };
  const svg = recordedSvg(resultJson({ ...run, contenders: new Map() }));
  const [, caption = ""] = /<text [^>]*>(2026-11-22, \d+ processors, [^<]* 3 turns of 0.5 s; [^<]*)/
    .exec(svg) ?? [];
  assert.equal(svg, resultSvg(lines, caption));
});

Deno.test("a plot of nothing is a plot", () => {
  assert.match(resultSvg([], ""), /^<svg [^]*<\/svg>\n$/);
});
