import assert from "node:assert/strict";
import { connectionTable, labelled, table } from "../../lib/commands/output.ts";

const connection = {
  id: 12345,
  state: "established",
  ageSeconds: 312,
  idleSeconds: 312,
  bytesUp: 123_456,
  bytesDown: 1_234_567,
  heldSince: null,
  tied: null,
} as const;

/** The heads of a table, and how wide it is. */
function shape(text: string): [string[], number] {
  const lines = text.split("\n");
  return [(lines[0] ?? "").split(/ +/), Math.max(...lines.map((line) => line.length))];
}

Deno.test("a list fits 80 columns: what matters least is left out first", () => {
  const widths = [
    ["10.0.0.1:50000", "10.0.0.2:80", 8],
    ["192.168.100.200:50000", "database.internal.example.com:5432", 7],
    ["[2001:db8:1234:5678:9abc:def0:1234:5678]:50000", "[2001:db8::1]:5432", 5],
  ] as const;
  for (const [peer, upstream, columns] of widths) {
    const [heads, width] = shape(connectionTable([{ ...connection, peer, upstream }]));
    assert.ok(width <= 80, `${width}`);
    assert.equal(heads.length, columns, heads.join());
    for (const head of ["ID", "PEER", "AGE", "IDLE"]) assert.ok(heads.includes(head));
  }
});

Deno.test("where there is room nothing is left out, and what must stay stays", () => {
  const cells = [["A", "B", "C"], ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"]];
  assert.deepEqual(shape(table(cells, ["C", "B"], 34)), [["A", "B", "C"], 34]);
  assert.deepEqual(shape(table(cells, ["C", "B"], 33)), [["A", "B"], 22]);
  assert.deepEqual(shape(table(cells, ["C", "B"], 5)), [["A"], 10]);
  assert.deepEqual(shape(table(cells, [], 5)), [["A", "B", "C"], 34]);
});

Deno.test("a value that does not fit goes on below itself, and nothing of it is lost", () => {
  const value = '5.6s ago (21:48:54Z) for "me": failed (deadline) after 5.0s; 2 in the way';
  const text = labelled([["state", "open"], ["last drain", value]], 40);
  const [state, ...lines] = text.split("\n");
  assert.equal(state, "state       open");
  assert.ok(lines.length > 1 && lines.every((line) => line.length <= 40), text);
  assert.ok(
    lines.every((line, index) => line.startsWith(index === 0 ? "last drain  " : " ".repeat(12))),
    text,
  );
  assert.equal(lines.map((line) => line.slice(12)).join(" "), value);
  // A word is not broken.
  assert.equal(labelled([["a", "x".repeat(50)]], 40), `a  ${"x".repeat(50)}`);
});
