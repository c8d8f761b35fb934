/**
 * Takes part in a handover, as one side or the other, up to some step, and no further.
 *
 * Its arguments are `receiver|giver DIRECTORY STEP [PORT [CONNECTIONS]]`, where the step is how often
 * it speaks, and the last is how many connections it says that it has to give, which never
 * come. It says what it hears, `listening` when it is ready to give, and `reached` when it has come so
 * far; it hangs up when its stdin ends, and lives on.
 *
 * @module
 */

import { Channel, PATIENCE } from "../../lib/handover/channel.ts";
import { type Message, PROTOCOL } from "../../lib/handover/messages.ts";
import { cookieOf, listen } from "../../lib/linux/socket.ts";
import { acceptAt, connectToPath, listenAtPath } from "../../lib/linux/unix_socket.ts";
import { CLOSE_REASONS, type CloseReason } from "../../lib/relay/relay.ts";
import { OwnedDirectory } from "../../lib/runtime_directory/owned_directory.ts";
import { pathsIn } from "../../lib/runtime_directory/paths.ts";
import { FIRST_INHERITED_DESCRIPTOR, isSocketActivated } from "../../lib/socket_activation.ts";

/** What each side says, in this order. */
export const STEPS = {
  receiver: ["hello", "prepare", "prepare", "go", "ready", "ack"],
  giver: ["offer", "ahead", "told", "state", "commit"],
} as const;

if (import.meta.main) {
  const [role, directory = "", steps = "0", port = "0", connections = "0"] = Deno.args;
  const channel = role === "receiver"
    ? receive(directory, Number(steps))
    : await give(directory, Number(steps), Number(port), Number(connections));
  tell("reached");
  for await (const _ of Deno.stdin.readable);
  channel[Symbol.dispose]();
  // Who hangs up is not dead.
  setInterval(() => {}, 1000);
}

function receive(directory: string, steps: number): Channel {
  const channel = new Channel(connectToPath(pathsIn(directory).handover, PATIENCE));
  const says: Message[] = [
    { type: "hello", protocol: PROTOCOL, version: "test", kind: "proxy", until: null },
    { type: "prepare" },
    { type: "prepare" },
    { type: "go" },
    { type: "ready" },
    { type: "ack" },
  ];
  for (const message of says.slice(0, steps)) {
    channel.send(message);
    if (message.type === "ack") break;
    let heard = hear(channel);
    while (message.type === "prepare" && heard.type !== "told") heard = hear(channel);
    if (message.type !== "go") continue;
    for (let left = countOf(heard); left > 0;) left -= countOf(hear(channel));
  }
  return channel;
}

async function give(
  directory: string,
  steps: number,
  port: number,
  connections: number,
): Promise<Channel> {
  const owned = await OwnedDirectory.take(directory, null);
  const listener = isSocketActivated()
    ? FIRST_INHERITED_DESCRIPTOR
    : listen({ host: "127.0.0.1", port }, false, 16);
  const socket = listenAtPath(pathsIn(directory).handover);
  tell("listening");
  const channel = new Channel(acceptAt(socket));
  const closed = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0]));
  const counters = { accepted: 7, bytesUp: 0, bytesDown: 0, connectFailures: 0 };
  const ahead = { isInherited: false, connections: 0, descriptors: 0 };
  const says: Message[][] = [
    [{
      type: "offer",
      protocol: PROTOCOL,
      version: "test",
      pid: Deno.pid,
      kind: "proxy",
      listen: `127.0.0.1:${port}`,
      cookie: cookieOf(listener),
      tellsAhead: true,
    }],
    [{ type: "ahead", ...ahead }, { type: "told" }],
    [{ type: "told" }],
    [{
      type: "state",
      connections,
      isInherited: false,
      lastId: 7,
      counters: { ...counters, closed: closed as Record<CloseReason, number> },
      arrivals: [],
      drain: {
        version: 1,
        commandUpstream: "127.0.0.1:9",
        upstream: null,
        drain: null,
        waiters: [],
      },
    }],
    [{ type: "commit" }],
  ];
  const comesWith: Record<string, number[]> = {
    ahead: [listener],
    state: [listener, owned.lock ?? -1],
  };
  for (const messages of says.slice(0, steps)) {
    hear(channel);
    for (const message of messages) channel.send(message, comesWith[message.type]);
  }
  return channel;
}

/** A message: of connections it has a number, or all of them. */
interface Heard {
  readonly type: string;
  readonly reason?: string;
  readonly connections?: number | readonly unknown[];
  readonly changed?: number | readonly unknown[];
  readonly ended?: number | readonly unknown[];
}

/** Of how many connections a message tells. */
function countOf({ connections = 0, changed = 0, ended = 0 }: Heard): number {
  let count = 0;
  for (const some of [connections, changed, ended]) {
    count += typeof some === "number" ? some : some.length;
  }
  return count;
}

function hear(channel: Channel): Heard {
  // What comes with it stays open: it is this one's now.
  const received = channel.receiveWithDescriptors();
  if (typeof received === "string") throw new Error(`the other side is ${received}`);
  const message = received.json as Heard;
  const { type, reason } = message;
  tell(reason === undefined ? type : `${type}: ${reason}`);
  return message;
}

function tell(what: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what}\n`));
}
