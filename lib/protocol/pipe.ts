/**
 * A conversation with a program on our side: stdin's lines are sent, replies go to stdout.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Failure } from "../failure.ts";
import type { Conversation } from "./conversation.ts";
import { LineDecoder, LineTooLong } from "./lines.ts";
import { messageOf } from "../message_of.ts";

/** The longest line that is read from stdin; only so that memory has a bound. */
const LONGEST_LINE = 1024 * 1024;

const LINE_FEED = new Uint8Array([0x0a]);

/**
 * Talks until the server has ended the conversation; the end of stdin is only the end of our side.
 *
 * @throws {Failure} when stdin cannot be read or sent, or stdout not be written
 * @throws {Deno.errors.BrokenPipe} when nobody reads stdout any more
 */
export async function talkOnPipe(conversation: Conversation): Promise<void> {
  const receiving = receive(conversation);
  // Once the server has ended, stdin is of no interest, and may stay open for ever.
  await Promise.race([receiving, send(conversation).then(() => receiving)]);
}

async function send(conversation: Conversation): Promise<void> {
  const lines = new LineDecoder(LONGEST_LINE);
  try {
    for await (const bytes of Deno.stdin.readable) await conversation.send(lines.decode(bytes));
    const last = lines.end();
    if (last !== null) await conversation.send([last]);
  } catch (error) {
    const action = error instanceof LineTooLong ? "send a line of stdin" : "read stdin";
    throw new Failure(`Failed to ${action}: ${messageOf(error)}`, 1, { cause: error });
  }
  conversation.end();
}

async function receive(conversation: Conversation): Promise<void> {
  for await (const replies of conversation.replies()) {
    await print(replies.flatMap((reply) => [reply, LINE_FEED]));
  }
}

async function print(pieces: Uint8Array[]): Promise<void> {
  let bytes: Uint8Array = Buffer.concat(pieces);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    throw new Failure(`Failed to write to stdout: ${messageOf(error)}`, 1, { cause: error });
  }
}
