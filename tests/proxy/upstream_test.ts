import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo, unusedAddress } from "../relay/peer.ts";
import { complete } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

const NO_INTERFACE = "[fe80::1%nosuch0]:80";
const WHY_NO_INTERFACE =
  `The upstream ${NO_INTERFACE} cannot be used: there is no network interface "nosuch0"`;

Deno.test("a proxy does not start with an upstream that is the proxy itself, or that this machine cannot use", async () => {
  await using temporary = await TemporaryDirectory.make();
  const startInVain = async (...words: string[]) => {
    const options = ["--runtime-dir", `${temporary.path}/proxy`, "--log-format=text"];
    const { code, stderr } = await complete("proxy", [...words, ...options]);
    assert.equal(code, 1);
    return stderr;
  };
  for (
    const [host, upstream, shown] of [
      ["", "127.0.0.1", "[::]"],
      ["", "localhost", "[::]"],
      ["127.0.0.1:", "0.0.0.0", "127.0.0.1"],
    ]
  ) {
    let said: string;
    let port: number;
    do {
      ({ port } = await unusedAddress());
      said = await startInVain(`${host}${port}`, `${upstream}:${port}`);
      // Somebody else was faster.
    } while (said.includes("is taken"));
    const why = `that is the proxy itself, which listens on ${shown}:${port}`;
    assert.match(said, new RegExp(`^[^\\n]*${literally(why)}\\n$`));
  }
  assert.match(
    await startInVain("127.0.0.1:0", NO_INTERFACE),
    new RegExp(`^[^\\n]*${literally(WHY_NO_INTERFACE)}\\n$`),
  );
  assert.deepEqual([...Deno.readDirSync(temporary.path)], []);
});

Deno.test("a retarget to what cannot be used is refused before anything changes", async () => {
  await using service = await echo("hello");
  await using proxy = await Proxy.start(service.address);
  await proxy.drain();
  const record = await Deno.readTextFile(`${proxy.directory}/drain.json`);
  const itself = formatAddress(proxy.address);
  const why = `that is the proxy itself, which listens on ${itself}`;
  for (
    const [upstream, message] of [
      [itself, `The upstream ${itself} cannot be used: ${why}`],
      [`localhost:${proxy.address.port}`, `cannot be used: ${why}`],
      [NO_INTERFACE, WHY_NO_INTERFACE],
    ] as const
  ) {
    const { status, text } = await proxy.request("PUT", "/v1/upstream", { upstream });
    const { error } = JSON.parse(text);
    assert.deepEqual([status, error.code], [400, "unusable_upstream"]);
    assert(error.message.endsWith(message), error.message);
  }
  const { code, stderr } = await proxy.ctl(["retarget", NO_INTERFACE]);
  assert.deepEqual([code, stderr.trimEnd()], [1, `proxyctl: ${WHY_NO_INTERFACE}`]);
  assert.equal((await proxy.ctl(["retarget", "10.0.0.1%eth0:80"])).code, 2);
  assert.equal((await proxy.status()).upstream, formatAddress(service.address));
  assert.equal(await Deno.readTextFile(`${proxy.directory}/drain.json`), record);
  await proxy.resume();
  using client = await proxy.connect();
  assert.equal(await client.read(5), "hello");
});

testWith(
  onlyForLong,
  "whatever upstream is on record, the proxy starts, can be resumed, and can be sent elsewhere",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo("hello");
    await using before = await Proxy.start(service.address, { directory });
    const listen = formatAddress(before.address);
    const path = `${directory}/drain.json`;
    await before.drain();
    const record = JSON.parse(await Deno.readTextFile(path));
    await before.crash();
    for (
      const [upstream, error] of [
        [NO_INTERFACE, /fe80::1%nosuch0/],
        [listen, /is this proxy itself/],
      ] as const
    ) {
      await Deno.writeTextFile(path, JSON.stringify({ ...record, upstream }));
      await using proxy = await Proxy.start(service.address, { directory, listen });
      const { state, upstream: shown } = await proxy.status();
      assert.deepEqual([state, shown], ["drained", upstream]);
      using client = await proxy.connect();
      await proxy.resume();
      assert.match(`${(await proxy.logged("connect_failed"))["message"]}`, error);
      assert.deepEqual([(await proxy.status()).active, (await proxy.status()).accepted], [1, 1]);
      await proxy.retarget(service.address);
      assert.equal(await client.read(5), "hello");
      await proxy.crash();
    }
  },
);

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
