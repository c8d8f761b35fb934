import assert from "node:assert/strict";
import fc from "fast-check";
import { type DrainRecord, formatRecord, parseRecord } from "../../lib/drain/record.ts";
import { numbered } from "./numbered.ts";

const text = fc.string({ unit: "grapheme" });
const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-01-01") })
  .map((date) => date.toISOString());
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const address = fc.constantFrom("db.example:5432", "[::1]:80", "127.0.0.1:1");

const record: fc.Arbitrary<DrainRecord> = fc.record({
  version: fc.constant(1),
  state: fc.constantFrom("draining", "drained"),
  owner: optional(text),
  reason: optional(text),
  since: time,
  deadline: optional(time),
  lease: optional(fc.nat()),
  leaseExpires: optional(time),
  exclusive: fc.boolean(),
  detached: fc.boolean(),
  commandUpstream: address,
  upstream: optional(address),
  refusals: fc.array(fc.record({ owner: text, expires: time }, { noNullPrototype: true })),
}, { noNullPrototype: true });

Deno.test("what is written is read back", () =>
  fc.assert(
    fc.property(record, (value) => assert.deepEqual(parseRecord(formatRecord(value)), value)),
  ));

Deno.test("a record that was cut short is none", () =>
  fc.assert(
    fc.property(record, fc.nat(), (value, length) => {
      const whole = formatRecord(value).trimEnd();
      assert.throws(() => parseRecord(whole.slice(0, length % whole.length)));
    }),
  ));

Deno.test("times that are accepted are times", () =>
  fc.assert(
    fc.property(
      fc.constantFrom("since", "deadline", "leaseExpires"),
      fc.stringMatching(
        /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(Z|[+-]\d\d:?\d\d| [+-]\d\d:?\d\d)$/,
      ),
      (field, value) => {
        let accepted;
        try {
          accepted = parseRecord(JSON.stringify({ ...numbered(1), [field]: value }));
        } catch {
          return;
        }
        assert.equal(Number.isNaN(Date.parse(accepted[field] ?? "")), false);
      },
    ),
    { numRuns: 500 },
  ));

Deno.test("a record that is not understood says where", () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ version: 2 }, /^version: /],
    [{ state: "open" }, /^state: /],
    [{ owner: 1 }, /^owner: /],
    [{ since: "yesterday" }, /^since: /],
    [{ lease: -1 }, /^lease: /],
    [{ lease: 1e300 }, /^lease: /],
    [{ upstream: "nowhere" }, /^upstream: is no HOST:PORT/],
    [{ refusals: [{ owner: "ann" }] }, /^refusals\.0\.expires: /],
    [{ colour: "red" }, /^colour: /],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => parseRecord(JSON.stringify({ ...numbered(1), ...change })), { message });
  }
  assert.throws(() => parseRecord("null"), { message: /^the whole: / });
});
