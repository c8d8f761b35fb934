import assert from "node:assert/strict";
import fc from "fast-check";
import { printable } from "../../lib/printable.ts";
import { parseGreeting, Session } from "../../lib/protocol/session.ts";

const GREETING = "Hello world!\r\n";

/** A session that has been told this, and all it replied. */
function told(...inputs: (string | Uint8Array)[]): { session: Session; replies: string } {
  const session = new Session({ greeting: "Hello world!", maxLine: 16 });
  let replies = "";
  for (const input of inputs) {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    replies += [...session.receive(bytes)].join("");
  }
  return { session, replies };
}

Deno.test("hello is answered with the greeting, whichever way its line ends", () => {
  assert.equal(told("hello\nhello\r\n").replies, GREETING.repeat(2));
});

Deno.test("an empty line is ignored", () => {
  assert.equal(told("\n\r\n\n").replies, "");
});

Deno.test("quit closes after the earlier answers, and what follows is ignored", () => {
  const { session, replies } = told("hello\nquit\nhello\n", "hello\n");
  assert.equal(replies, GREETING);
  assert.equal(session.closed, true);
  assert.deepEqual([...session.end()], []);
});

for (const command of ["Hello", "hello ", " quit", "QUIT", "hello\t", "x"]) {
  Deno.test(`${JSON.stringify(command)} is an unknown command`, () => {
    const { session, replies } = told(`${command}\n`);
    assert.equal(
      replies,
      `Unknown command: "${printable(command)}". Say "hello" or "quit".\r\n`,
    );
    assert.equal(session.closed, false);
  });
}

Deno.test("a line too long is answered, and closes", () => {
  const { session, replies } = told("hello\n0123456789abcdefg", "\nhello\n");
  assert.equal(replies, `${GREETING}Line too long.\r\n`);
  assert.equal(session.closed, true);
});

Deno.test("the limit counts bytes, not characters", () => {
  assert.match(told(`${"é".repeat(8)}\n`).replies, /^Unknown command: "é{8}"/);
  assert.equal(told(`${"é".repeat(9)}\n`).replies, "Line too long.\r\n");
});

Deno.test("a last line without an ending is answered when the client has ended", () => {
  const { session, replies } = told("hello\nhello");
  assert.equal(replies, GREETING);
  assert.deepEqual([...session.end()], [GREETING]);
  assert.equal(session.closed, true);
});

Deno.test("whatever is said, every reply is one whole line without control characters", () => {
  const input = fc.array(fc.oneof(
    fc.uint8Array(),
    fc.constantFrom("hello\n", "\x1b[2J\n", "\x9b\n", "\u202e\n", "\u2028\n", "\ufeffhello\n")
      .map((text) => new TextEncoder().encode(text)),
  ));
  fc.assert(
    fc.property(input, (pieces) => {
      const { session, replies } = told(...pieces);
      const lines = (replies + [...session.end()].join("")).split("\r\n");
      assert.equal(lines.pop(), "");
      for (const line of lines) {
        assert.match(line, /^(Hello world!|Line too long\.|Unknown command: ".+"\. Say .*\.)$/u);
        assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("control characters are shown as escapes, bytes that are not UTF-8 as U+FFFD", () => {
  assert.equal(
    told(Uint8Array.of(0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x0a)).replies,
    'Unknown command: "\\u001b[2J\ufffd". Say "hello" or "quit".\r\n',
  );
});

Deno.test("replies are made one at a time, as they are asked for", () => {
  const session = new Session({ greeting: "Hello world!", maxLine: 16 });
  const replies = session.receive(new TextEncoder().encode("hello\nquit\n"));
  assert.equal(replies.next().value, GREETING);
  assert.equal(session.closed, false);
  assert.equal(replies.next().done, true);
  assert.equal(session.closed, true);
});

Deno.test("a greeting is a single line", () => {
  assert.equal(parseGreeting("Hi"), "Hi");
  assert.throws(() => parseGreeting("Hi\r\nthere"), RangeError);
});
