import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { controlRequest } from "../support/control_request.ts";
import { echo } from "../relay/peer.ts";
import { Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const script = new URL("breaking_proxy.ts", import.meta.url).pathname;

for (const state of ["open", "drained", "stopping"]) {
  Deno.test(`a proxy whose relay breaks while ${state} ends at once, with one line for it and 1`, async () => {
    await using service = await echo();
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using proxy = new Running([
      ...[Deno.execPath(), "run", "--quiet", ...PROGRAMS.proxy.permissions, script],
      ...["127.0.0.1:0", formatAddress(service.address), "--runtime-dir", directory],
      ...["--stop-timeout", "none", "--log-format", "json"],
    ]);
    const [, port] = await proxy.heard(/"listen":"127.0.0.1:(\d+)"/);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    await client.write(new Uint8Array(1));
    assert.equal(await client.read(new Uint8Array(1)), 1);
    const drain = { owner: "me", wait: false, timeout: "none", closeIdle: "1ms" };
    if (state === "drained") {
      await controlRequest(`${directory}/control.sock`, "POST", "/v1/drain", drain);
      await proxy.heard(/"event":"drained"/);
    }
    if (state === "stopping") {
      proxy.kill("SIGTERM");
      await proxy.heard(/"event":"stop"/);
    }
    const files = state === "drained" ? ["drain.json"] : [];
    const before = files.map((name) => Deno.readTextFileSync(`${directory}/${name}`));
    await proxy.write("\n");
    const { code, signal, stderr } = await proxy.finished();
    assert.deepEqual({ code, signal }, { code: 1, signal: null });
    const [logged, said, ...more] = stderr.trimEnd().split("\n").slice(-2);
    assert.match(logged ?? "", /"level":"ERROR".*The relay broke: out of luck.*"event":"broken"/);
    assert.match(said ?? "", /^disnix-tcp-proxy: The relay broke, .*: out of luck$/);
    assert.deepEqual(more, []);
    assert.deepEqual(files.map((name) => Deno.readTextFileSync(`${directory}/${name}`)), before);
  });
}
