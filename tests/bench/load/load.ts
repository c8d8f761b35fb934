/**
 * The clients of the benchmark, as a process of their own: reads tasks from stdin, a line each, does
 * one after the other, and writes what came of them to stdout. It ends with stdin.
 *
 * It is one thread with one loop over epoll at a time, so that it is light beside what is measured.
 *
 * @module
 */

import { writeAll } from "../../../lib/standard_streams.ts";
import { raiseDescriptorLimit } from "../../../lib/linux/resource_limit.ts";
import { messageOf } from "../../../lib/message_of.ts";
import { bulk } from "./bulk.ts";
import { DESCRIPTORS } from "./client.ts";
import { connections } from "./connections.ts";
import { held, hold } from "./hold.ts";
import { pings } from "./pings.ts";
import { type Answer, type Conversation, GO_ON, type Order, type Tasks } from "./protocol.ts";
import { requests } from "./requests.ts";

const TASKS: {
  [Kind in keyof Tasks]: (
    task: Tasks[Kind]["task"],
    conversation: Conversation,
  ) => Tasks[Kind]["done"];
} = { requests, connections, bulk, pings, hold, held };

/** What has been read of stdin beyond the last line. */
let unread = "";

raiseDescriptorLimit(DESCRIPTORS);
for (let line = readLine(); line !== null; line = readLine()) {
  if (line !== `${GO_ON}\n`) obey(JSON.parse(line));
}

function obey({ number, kind, task }: Order): void {
  const say = (answer: Answer) => writeAll(Deno.stdout, `${JSON.stringify(answer)}\n`);
  const conversation: Conversation = {
    descriptor: 0,
    ready: () => say({ number, ready: true }),
    wait: () => void readLine(),
  };
  try {
    say({ number, done: TASKS[kind](task, conversation) });
  } catch (error) {
    say({ number, failed: messageOf(error) });
  }
}

/** The next line of stdin with its end, or `null` when there is none. */
function readLine(): string | null {
  const room = new Uint8Array(4096);
  while (!unread.includes("\n")) {
    const length = Deno.stdin.readSync(room);
    if (length === null) return null;
    unread += new TextDecoder().decode(room.subarray(0, length));
  }
  const end = unread.indexOf("\n") + 1;
  const line = unread.slice(0, end);
  unread = unread.slice(end);
  return line;
}
