import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../lib/address.ts";
import { isLong } from "../../support/long.ts";
import { Running } from "../../support/programs.ts";
import { echo, Peer } from "../peer.ts";
import { pause } from "../waiting.ts";
import { EPOLL_KINDS } from "./kinds.ts";

/** Longer than a thread may take to answer, in milliseconds. */
const STOPPED = 6000;

const script = new URL("holding_process.ts", import.meta.url).pathname;

for (const kind of isLong ? EPOLL_KINDS : EPOLL_KINDS.slice(-1)) {
  Deno.test(`${kind}: a process that is stopped for a while in the middle of a hold is not broken`, async () => {
    await using service = await echo();
    const command = [Deno.execPath(), "run", "--quiet", "--allow-all", script];
    await using program = new Running([...command, kind, formatAddress(service.address)]);
    const [, at = ""] = await program.heard(/^(.*)\n/, "stdout");
    using client = await Peer.connect(parseAddress(at));
    await client.send("before");
    assert.equal(await client.read(6), "before");
    program.kill("SIGSTOP");
    await pause(STOPPED);
    program.kill("SIGCONT");
    await client.send("after");
    assert.equal(await client.read(5), "after");
    await program.write("\n");
    // The time a thread had to answer is over by now, had it counted.
    await pause(STOPPED);
    await client.send("later");
    assert.equal(await client.read(5), "later");
    await program.closeStdin();
    const { code, stdout } = await program.finished();
    assert.equal(code, 0);
    assert.match(stdout, /\nholds: [1-9]\d*, broken: no\n$/);
  });
}
