import assert from "node:assert/strict";
import fc from "fast-check";
import { LineDecoder, LineTooLong } from "../../lib/protocol/lines.ts";

const LIMIT = 8;

/** The lines of these pieces as text, with a last word if one was too long. */
function decodeAll(pieces: Iterable<Uint8Array>, limit = LIMIT): string[] {
  const decoder = new LineDecoder(limit);
  const lines: string[] = [];
  try {
    for (const piece of pieces) {
      for (const line of decoder.decode(piece)) lines.push(latin1(line));
    }
    const last = decoder.end();
    if (last !== null) lines.push(`${latin1(last)} (no ending)`);
  } catch (error) {
    assert.ok(error instanceof LineTooLong);
    lines.push("(too long)");
  }
  return lines;
}

/** The same by other means, for the whole input at once. */
function expectedLines(bytes: Uint8Array, limit = LIMIT): string[] {
  const lines: string[] = [];
  const parts = latin1(bytes).split("\n");
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (isLast && part === "") break;
    const line = part.replace(/\r$/, "");
    if (line.length > limit) return [...lines, "(too long)"];
    lines.push(isLast ? `${line} (no ending)` : line);
  }
  return lines;
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

// Endings are frequent, so that lines around the limit and halves of CRLF occur.
const input = fc.array(fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0x0a, 0x0d) },
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 255 }) },
)).map((bytes) => new Uint8Array(bytes));

const inPieces = fc.tuple(input, fc.array(fc.nat(12))).map(([bytes, lengths]) => {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const length of lengths) {
    pieces.push(bytes.subarray(start, start + length));
    start += length;
  }
  return { bytes, pieces: [...pieces, bytes.subarray(start)] };
});

Deno.test("bytes give the same lines in whatever pieces they arrive", () => {
  fc.assert(
    fc.property(inPieces, ({ bytes, pieces }) => {
      assert.deepEqual(decodeAll(pieces), expectedLines(bytes));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("bytes give the same lines when they arrive one by one", () => {
  fc.assert(fc.property(input, (bytes) => {
    assert.deepEqual(
      decodeAll(Array.from(bytes, (byte) => Uint8Array.of(byte))),
      decodeAll([bytes]),
    );
  }));
});

Deno.test("pieces may be overwritten once they are decoded", () => {
  const decoder = new LineDecoder(LIMIT);
  const buffer = bytesOf("hel");
  assert.deepEqual([...decoder.decode(buffer)], []);
  buffer.fill(0);
  assert.deepEqual([...decoder.decode(bytesOf("lo\n"))].map(latin1), ["hello"]);
});

for (const ending of ["\n", "\r\n"]) {
  const name = JSON.stringify(ending);
  Deno.test(`a line of exactly the limit that ends in ${name} is no line too long`, () => {
    assert.deepEqual(decodeAll([bytesOf(`12345678${ending}`)]), ["12345678"]);
    assert.deepEqual(decodeAll([bytesOf(`123456789${ending}`)]), ["(too long)"]);
  });
}

Deno.test("a line is too long as soon as it is, not only at its end", () => {
  const decoder = new LineDecoder(LIMIT);
  assert.deepEqual([...decoder.decode(bytesOf("12345678"))], []);
  assert.throws(() => [...decoder.decode(bytesOf("9"))], LineTooLong);
});

Deno.test("lines before one that is too long are not lost", () => {
  assert.deepEqual(decodeAll([bytesOf("a\nb\n123456789")]), ["a", "b", "(too long)"]);
});

Deno.test("a carriage return within a line belongs to it", () => {
  assert.deepEqual(decodeAll([bytesOf("a\rb\r\r\n")]), ["a\rb\r"]);
});
