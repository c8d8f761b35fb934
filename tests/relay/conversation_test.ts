import fc from "fast-check";
import assert from "node:assert/strict";
import {
  ANSWER,
  CLIENT,
  Conversation,
  INFORMATIONAL,
  INFORMATIONAL_AND_MORE,
  type MovedConversation,
  NOBODY,
  SERVICE,
  type Tie,
} from "../../lib/relay/conversation.ts";

/** What the client may say first, and what that ties it to. */
const FIRST_WORDS: readonly [string, Tie | null][] = [
  ["\x16\x03\x01\x02\x00", "tls"],
  ["\x16\x04\x01\x02\x00", null],
  ["SSH-2.0-OpenSSH_9.2\r\n", "ssh"],
  ["SSH 2.0", null],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
  ["PRINT", null],
  ["CONNECT example.org:443 HTTP/1.1\r\n\r\n", "switched"],
  ["CON", null],
  ["GET / HTTP/1.1\r\n\r\n", null],
  ["*1\r\n$4\r\nPING\r\n", null],
  ["\xff\xff\xff\xff\xff", null],
];

/** What a service's turn may begin with, and what that is. */
const ANSWERS: readonly [string, number, Tie | null][] = [
  ["HTTP/1.1 100 Continue\r\n\r\n", INFORMATIONAL, null],
  ["HTTP/1.1 100 Continue\n\n", INFORMATIONAL, null],
  ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", INFORMATIONAL, null],
  ["HTTP/1.1 103\r\n\r\nHTTP/1.1 103\r\n\r\n", INFORMATIONAL, null],
  ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", INFORMATIONAL_AND_MORE, null],
  ["HTTP/1.1 100 Continue\r\n\r\nH", INFORMATIONAL_AND_MORE, null],
  ["HTTP/1.1 101 Switching Protocols\r\n\r\n", ANSWER, "switched"],
  ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n", ANSWER, "switched"],
  ["HTTP/1.1 200 OK\r\n\r\n", ANSWER, null],
  ["HTTP/1.0 100 Continue\r\n\r\n", ANSWER, null],
  ["HTTP/1.1", ANSWER, null],
  ["+PONG\r\n", ANSWER, null],
  ["", ANSWER, null],
];

const lengths = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 30 });

Deno.test("a client's first bytes tell its protocol, in whatever pieces they come", () => {
  fc.assert(fc.property(fc.constantFrom(...FIRST_WORDS), lengths, ([words, tie], cuts) => {
    const conversation = asked();
    conversation.begin();
    for (const piece of pieces(words, cuts)) {
      conversation.clientSpoke(conversation.looksAtClient ? piece : null);
    }
    assert.equal(conversation.tied(0), tie);
    assert.equal(conversation.looksAtClient, words.length < 4);
  }));
});

Deno.test("only what a client says first tells its protocol, whatever the service says between", () => {
  fc.assert(fc.property(fc.constantFrom(...FIRST_WORDS), ([words]) => {
    const conversation = new Conversation();
    conversation.clientSpoke(bytes("GE"));
    conversation.serviceBegan(bytes("what?"));
    conversation.clientSpoke(bytes("T "));
    conversation.clientSpoke(bytes(words));
    assert.equal(conversation.tied(0), null);
  }));
});

for (const [answer, kind, tie] of ANSWERS) {
  Deno.test(`a service's turn that begins with ${JSON.stringify(answer)} is known for what it is`, () => {
    const conversation = asked();
    assert.equal(conversation.serviceBegan(bytes(answer)), kind);
    assert.equal(conversation.turn, kind === INFORMATIONAL ? CLIENT : SERVICE);
    assert.equal(conversation.tied(0), tie);
  });
}

Deno.test("HTTP's 1xx is known for what it is wherever its head is cut behind the first digit", () => {
  for (const [answer, kind, tie] of ANSWERS) {
    // What comes after the first head begins where it may.
    if (answer.split("HTTP/1.1 1").length !== 2 || kind === INFORMATIONAL_AND_MORE) continue;
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 30 });
    fc.assert(fc.property(fc.integer({ min: 10, max: 30 }), cuts, (first, others) => {
      const conversation = asked();
      for (const piece of pieces(answer, [first, ...others])) {
        if (conversation.turn === CLIENT) conversation.serviceBegan(piece);
        // What it was said in does not last.
        piece.fill(0);
      }
      assert.equal(conversation.turn, kind === INFORMATIONAL ? CLIENT : SERVICE);
      assert.equal(conversation.tied(0), tie);
    }));
  }
});

Deno.test("after HTTP's 1xx the answer is an answer, even if the client went on meanwhile", () => {
  for (const continues of ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Cont"]) {
    const conversation = asked();
    conversation.serviceBegan(bytes(continues));
    conversation.clientSpoke(null);
    if (!continues.endsWith("\n")) conversation.serviceBegan(bytes("inue\r\n\r\n"));
    assert.equal(conversation.turn, CLIENT);
    assert.equal(conversation.serviceBegan(bytes("HTTP/1.1 200 OK\r\n\r\n")), ANSWER);
    assert.equal(conversation.turn, SERVICE);
  }
});

Deno.test("a head that never ends is taken for an answer", () => {
  const conversation = asked();
  conversation.serviceBegan(bytes("HTTP/1.1 100 "));
  for (let count = 0; count < 100; count++) conversation.serviceBegan(bytes("x".repeat(1024)));
  assert.equal(conversation.turn, SERVICE);
});

Deno.test("a service that speaks before its client ties it for ever", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ANSWERS, ["220 ready\r\n", ANSWER, null]), ([banner]) => {
      const conversation = new Conversation();
      assert.equal(conversation.turn, NOBODY);
      conversation.serviceBegan(bytes(banner));
      conversation.clientSpoke(bytes("SSH-2.0"));
      conversation.end();
      assert.equal(conversation.tied(Infinity), "spoke-first");
    }),
  );
});

Deno.test("a service is tied by a silence longer than what counts as quiet, and by none that is not", () => {
  const times = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(fc.property(fc.array(times), times, (silences, quiet) => {
    const conversation = asked();
    conversation.serviceBegan(bytes("answer"));
    for (const silence of silences) conversation.serviceWentOn(silence);
    const unasked = silences.some((silence) => silence > quiet);
    assert.equal(conversation.tied(quiet), unasked ? "spoke-unasked" : null);
  }));
});

Deno.test("a direction that has ended ties it, unless it was tied already", () => {
  const conversation = asked();
  conversation.end();
  assert.equal(conversation.tied(0), "ended");
  const secret = new Conversation();
  secret.clientSpoke(bytes("\x16\x03"));
  secret.end();
  assert.equal(secret.tied(0), "tls");
});

Deno.test("with another service it is anew: that one may speak first, and has not spoken unasked", () => {
  const conversation = asked();
  conversation.serviceBegan(bytes("answer"));
  conversation.serviceWentOn(1000);
  conversation.changeService();
  assert.equal(conversation.turn, NOBODY);
  assert.equal(conversation.tied(0), null);
  assert.equal(conversation.looksAtClient, false);
  conversation.serviceBegan(bytes("hello"));
  assert.equal(conversation.tied(0), "spoke-first");
});

Deno.test("what one service left of a head has nothing to do with the next one", () => {
  for (const anew of ["begin", "changeService"] as const) {
    const conversation = asked();
    conversation.serviceBegan(bytes("HTTP/1.1 1"));
    conversation[anew]();
    conversation.clientSpoke(bytes("GET "));
    assert.equal(conversation.serviceBegan(bytes("01 is the number")), ANSWER);
    assert.equal(conversation.tied(0), null);
  }
});

/** What can happen on a connection. */
const happenings = fc.array(
  fc.oneof(
    fc.record({
      client: fc.oneof(
        fc.constantFrom(...FIRST_WORDS.map(([words]) => words)),
        fc.string({ minLength: 1 }),
      ),
    }),
    fc.record({ service: fc.constantFrom(...ANSWERS.map(([answer]) => answer)) }),
    fc.record({ silence: fc.nat(1000) }),
    fc.constant({ end: true as const }),
    fc.constant({ move: true as const }),
  ),
  { maxLength: 20 },
);

Deno.test("moved to another process at any time, by JSON, it goes on as if it had not been moved", () => {
  fc.assert(fc.property(happenings, fc.nat(1000), (steps, quiet) => {
    const stays = new Conversation();
    let moves = new Conversation();
    for (const step of steps) {
      if ("move" in step) {
        const moved: MovedConversation = JSON.parse(JSON.stringify(moves.moved));
        assert(moved.first >= 0 && moved.first < 2 ** 32, `${moved.first}`);
        moves = asked();
        moves.restore(moved);
      } else for (const one of [stays, moves]) take(one, step);
      assert.deepEqual(moves.moved, stays.moved);
      assert.equal(moves.tied(quiet), stays.tied(quiet));
    }
  }));
});

Deno.test("one that comes from a process that kept no account is tied, whatever happens", () => {
  fc.assert(fc.property(happenings, fc.nat(1000), (steps, quiet) => {
    const conversation = asked();
    conversation.restore(undefined);
    for (const step of steps) if (!("move" in step)) take(conversation, step);
    assert.equal(conversation.tied(quiet), "unknown");
    assert.equal(conversation.looksAtClient, false);
  }));
});

type Happening = { client: string } | { service: string } | { silence: number } | { end: true };

/** Tells a conversation what happened, as a relay does. */
function take(conversation: Conversation, step: Happening): void {
  if ("client" in step) {
    conversation.clientSpoke(conversation.looksAtClient ? bytes(step.client) : null);
  } else if ("end" in step) conversation.end();
  else if ("service" in step) {
    if (conversation.turn === SERVICE) conversation.serviceWentOn(0);
    else conversation.serviceBegan(bytes(step.service));
  } else if (conversation.turn === SERVICE) conversation.serviceWentOn(step.silence);
}

/** A conversation in which the client has asked something. */
function asked(): Conversation {
  const conversation = new Conversation();
  conversation.clientSpoke(bytes("GET / HTTP/1.1\r\n\r\n"));
  return conversation;
}

function pieces(words: string, lengths: readonly number[]): Uint8Array[] {
  const all = bytes(words);
  const cut: Uint8Array[] = [];
  let start = 0;
  for (const length of lengths) {
    if (start >= all.length) break;
    cut.push(all.slice(start, start + length));
    start += length;
  }
  if (start < all.length) cut.push(all.slice(start));
  return cut;
}

/** One byte a character. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}
