/**
 * A relay one thread of which dies when it is told to on stdin: its epoll instance becomes something
 * else. Its arguments are the relay's kind, the upstream, and whether it is `open` or `holding` then.
 * It says where it listens, what the relay tells of that, and when stdin ends, what is left.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../../lib/address.ts";
import { listen } from "../../../lib/linux/socket.ts";
import { dup2 } from "../../support/dup2.ts";
import { until } from "../../support/until.ts";
import { passedOn, plainOptions, UNHEARD } from "../plain.ts";
import { type Kind, RELAYS } from "../relays.ts";

const [kind, upstream, state] = Deno.args as [Kind, string, "open" | "holding"];
const descriptor = listen({ host: "127.0.0.1", port: 0 }, false, 64);
let breakages = 0;
const relay = await RELAYS[kind](passedOn(descriptor), plainOptions(parseAddress(upstream)), {
  ...UNHEARD,
  broken(error) {
    breakages++;
    say(`broken ${error.message.replaceAll("\n", " ")}`);
  },
});
await relay.open();
say(formatAddress(relay.listen));

await told();
if (state === "holding") await relay.hold();
say("ready");
await told();
// While it holds, a thread waits for them as soon as it has been told that it may take some.
const [instance = -1] = await until(eventLoops, ({ length }) => length > 0);
if (dup2(0, instance) < 0) throw new Error("Failed to make a thread die");
// It sees that once it has something to do.
void relay.hold();
await told();
say(`active ${relay.active}, broken ${breakages} times`);
Deno.exit(0);

/** Waits for a line of stdin, or its end. */
async function told(): Promise<void> {
  await Deno.stdin.read(new Uint8Array(64));
}

/** The epoll instances that wait for events of the listening socket: one of each thread, if open. */
function eventLoops(): number[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).filter((name) => {
    try {
      const watched = Deno.readTextFileSync(`/proc/self/fdinfo/${name}`).matchAll(
        /^tfd:\s+(\d+)/gm,
      );
      return [...watched].some(([, number]) => Number(number) === descriptor);
    } catch {
      // The descriptor of the directory that was listed.
      return false;
    }
  }).map(Number);
}

function say(what: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what}\n`));
}
