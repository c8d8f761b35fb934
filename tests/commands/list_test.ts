import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo } from "../relay/peer.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { complete } from "../support/programs.ts";
import { testWith } from "../support/tools.ts";

Deno.test("list is about all, and says so to who names one", async () => {
  for (const name of [["--port", "80"], ["--runtime-dir", "/somewhere"]]) {
    const { code, stdout, stderr } = await complete("proxyctl", [...name, "list"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^proxyctl: list shows all proxies .* \(see proxyctl list --help\)\n$/);
  }
});

testWith(
  noOtherUser(),
  "list shows the proxies in the default directories, and which of them are drained",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const env = { XDG_RUNTIME_DIR: user.home };
    const ctl = (...args: string[]) => user.complete("proxyctl", args, { env });
    assert.deepEqual(await ctl("list").then(({ code, stdout }) => [code, stdout]), [
      0,
      "No proxy runs in the default directories\n",
    ]);

    const start = async (listen: string, ...options: string[]) => {
      const args = [listen, formatAddress(service.address), "--log-format=json", ...options];
      const proxy = await user.start("proxy", args, { env });
      await proxy.heard(/"event":"listen"/);
      return proxy;
    };
    await using first = await start("127.0.0.2:0", "--start-drained");
    await using second = await start("127.0.0.1:0");
    const list = JSON.parse((await ctl("list", "--json")).stdout);
    assert.deepEqual(
      list.map((one: Record<string, unknown>) => [one["directory"], one["pid"], one["state"]]),
      [
        [`${user.home}/disnix-tcp-proxy/127.0.0.2:0`, first.pid, "drained"],
        [`${user.home}/disnix-tcp-proxy/127.0.0.1:0`, second.pid, "open"],
      ].sort((a, b) => `${a[0]}`.localeCompare(`${b[0]}`, "en", { numeric: true })),
    );
    assert.match((await ctl("list")).stdout, /^LISTEN +UPSTREAM +STATE +ACTIVE .*\n.*\n.*\n$/);
  },
);
