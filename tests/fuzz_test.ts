import assert from "node:assert/strict";
import { whyNoEpoll } from "../lib/relay/epoll/available.ts";
import { anySeed } from "./fuzz/options.ts";
import { type Kind, RELAYS } from "./relay/relays.ts";
import { AnotherUser, noOtherUser } from "./support/another_user.ts";
import { testWith } from "./support/tools.ts";

const SECONDS = 3;
const CONNECTIONS = 60;

for (const kind of Object.keys(RELAYS) as Kind[]) {
  // The ends of the connections are made in the same way as those of the epoll relay.
  const missing = whyNoEpoll();

  testWith(
    missing,
    `${kind}: whatever both sides do, every byte and every ending arrives as it was sent`,
    () => fuzzFor(kind, null),
  );

  testWith(
    missing ?? noOtherUser(),
    `${kind}: every byte and every ending arrives when the system grants hardly any pipes`,
    async () => {
      await using user = await AnotherUser.make();
      const hoard = new URL("fuzz/hoard_pipes.ts", import.meta.url).pathname;
      await using hoarder = await user.run([Deno.execPath(), "run", "--allow-all", hoard]);
      await hoarder.heard(/^\d+ pipes\n/, "stdout");
      await fuzzFor(kind, user);
    },
  );
}

async function fuzzFor(kind: Kind, user: AnotherUser | null): Promise<void> {
  // Importing it needs Linux.
  const { fuzz } = await import("./fuzz/campaign.ts");
  const seed = anySeed();
  const options = { kind, threads: 1, seconds: SECONDS, seed, connections: CONNECTIONS, user };
  const { failures } = await fuzz(options, () => {});
  const again = `deno task fuzz --seed ${seed} --connections ${CONNECTIONS}`;
  assert.equal(failures.length, 0, `${failures.join("\n")}\nThe same scripts again: ${again}`);
}
