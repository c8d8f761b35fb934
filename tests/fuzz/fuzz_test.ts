import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { anySeed } from "./options.ts";
import { type Kind, RELAYS } from "../relay/relays.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { brieflyOr, isLong, onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** Briefly, two rounds. */
const SECONDS = brieflyOr(0, 30);

/** How many there are at the same time; with fewer those who share a few pipes hardly meet. */
const CONNECTIONS = { alone: brieflyOr(30, 60), sharing: 60 };

// The ends of the connections are made in the same way as those of the epoll relay.
const missing = whyNoEpoll();

for (const kind of Object.keys(RELAYS) as Kind[]) {
  // Briefly, those that share the pipes have hardly any, and the others all that they want. The bytes of
  // the portable relay are carried by Deno.
  if (isLong || kind === "epoll") {
    testWith(
      missing,
      `${kind}: whatever both sides do, every byte and every ending arrives as it was sent`,
      () => fuzzFor(kind, null),
    );
  }
  if (isLong || kind === "epoll in 2 threads") {
    testWith(
      onlyForLong ?? missing ?? noOtherUser(),
      `${kind}: every byte and every ending arrives when the system grants hardly any pipes`,
      async () => {
        await using user = await AnotherUser.make();
        const hoard = new URL("hoard_pipes.ts", import.meta.url).pathname;
        await using hoarder = await user.run([Deno.execPath(), "run", "--allow-all", hoard]);
        await hoarder.heard(/^\d+ pipes\n/, "stdout");
        await fuzzFor(kind, user);
      },
    );
  }
}

async function fuzzFor(kind: Kind, user: AnotherUser | null): Promise<void> {
  const connections = user === null ? CONNECTIONS.alone : CONNECTIONS.sharing;
  // Importing it needs Linux.
  const { fuzz } = await import("./campaign.ts");
  const seed = anySeed();
  const options = { kind, threads: 1, seconds: SECONDS, seed, connections, user };
  const { failures } = await fuzz(options, () => {});
  const again = `deno task fuzz --seed ${seed} --connections ${connections}`;
  assert.equal(failures.length, 0, `${failures.join("\n")}\nThe same scripts again: ${again}`);
}
