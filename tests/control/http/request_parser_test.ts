import assert from "node:assert/strict";
import fc from "fast-check";
import { LARGEST_BODY } from "../../../lib/control/api.ts";
import { ApiError } from "../../../lib/control/errors.ts";
import type { ControlRequest } from "../../../lib/control/http/messages.ts";
import { RequestParser } from "../../../lib/control/http/request_parser.ts";

const text = new TextEncoder();

/** What is understood of a request that arrives in these pieces. */
function parse(...pieces: (string | Uint8Array)[]): ControlRequest | null {
  const parser = new RequestParser();
  for (const piece of pieces) {
    parser.push(typeof piece === "string" ? text.encode(piece) : piece);
  }
  return parser.request;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) =>
    a - b
  );
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const chunked = (pieces: readonly string[]) =>
  pieces.map((one) => `${text.encode(one).length.toString(16)};x=y\r\n${one}\r\n`).join("") +
  "0\r\nTrailer: x\r\n\r\n";

Deno.test("a request is the same in whatever pieces it arrives, and whatever comes after it", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 30 }), { maxLength: 5 }),
    fc.boolean(),
    fc.array(fc.nat(), { maxLength: 10 }),
    (body, inChunks, places) => {
      const whole = body.join("");
      const framed = inChunks
        ? `Transfer-Encoding: Chunked\r\n\r\n${chunked(body)}`
        : `Content-Length: ${text.encode(whole).length}\r\n\r\n${whole}`;
      const bytes = text.encode(`\r\nPOST /v1/drain?a=b HTTP/1.1\r\nHost: a\r\n${framed}`);
      const request = parse(...cut(bytes, places), "GET / HTTP/1.1\r\n");
      assert.ok(request !== null);
      const { query, headers, ...rest } = request;
      assert.deepEqual(rest, { method: "POST", path: "/v1/drain", body: whole });
      assert.deepEqual([[...query], headers.get("host")], [[["a", "b"]], "a"]);
      assert.equal(parse(bytes.subarray(0, -1)), null);
    },
  ));
});

Deno.test("a body is taken up to its limit, however it is framed, and not a byte beyond", () => {
  const post = "POST / HTTP/1.1\r\n";
  for (const inChunks of [true, false]) {
    const framed = (size: number) =>
      inChunks
        ? `transfer-encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(size)}0\r\n\r\n`
        : `content-length: ${size}\r\n\r\n${"x".repeat(size)}`;
    assert.equal(parse(post + framed(LARGEST_BODY))?.body.length, LARGEST_BODY);
    assert.throws(() => parse(post + framed(LARGEST_BODY + 1)), { code: "too_large" });
  }
});

Deno.test("lines that have no end are refused", () => {
  for (const begin of ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: "]) {
    assert.throws(() => parse(begin, "x".repeat(20_000)), { code: "too_large" });
  }
  const many = "a: b\r\n".repeat(10_000);
  assert.throws(() => parse(`GET / HTTP/1.1\r\n${many}`), { code: "too_large" });
  const chunk = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
  assert.throws(() => parse(`${chunk}1;${"x".repeat(300)}`), { code: "too_large" });
  assert.throws(() => parse(`${chunk}0\r\n${many}`), { code: "too_large" });
});

Deno.test("what is no request is refused, and never taken for another one", () => {
  for (
    const bad of [
      "\x16\x03\x01\r\n",
      "GET /\r\n",
      "GET / HTTP/2\r\n",
      "GET  / HTTP/1.1\r\n",
      "GET / HTTP/1.1\r\n folded: x\r\n",
      "GET / HTTP/1.1\r\nname : x\r\n",
      "GET * HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nhost: [bad\r\n\r\n",
      "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
      "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
      "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
      "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
      "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n",
    ]
  ) {
    assert.throws(() => parse(bad), (error) => {
      return error instanceof ApiError && error.code === "bad_request";
    }, JSON.stringify(bad));
  }
});

Deno.test("bytes of any kind are a request, not yet one, or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (bytes, hasHead) => {
    const head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    try {
      parse(hasHead ? head : "", bytes);
    } catch (error) {
      assert.ok(error instanceof ApiError, `${error}`);
    }
  }));
});
