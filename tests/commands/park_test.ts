import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Stage } from "../keeper/stage.ts";
import { testWith } from "../support/tools.ts";
import { onlyForLong } from "../support/long.ts";

const no = whyNoEpoll();

testWith(
  onlyForLong ?? no,
  "with only a keeper there, whatever else is asked for is exit 8",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    await stage.stop();
    for (
      const verb of [["drain"], ["resume", "--force"], ["connections"], ["metrics"], ["kill", "1"]]
    ) {
      const { code, stdout, stderr } = await stage.proxy.ctl(verb);
      assert.deepEqual([code, stdout], [8, ""], stderr);
      assert.match(
        stderr,
        new RegExp(`^proxyctl: The proxy is parked .*process ${keeper}.*start a proxy.*\\n$`),
      );
    }
    const again = await stage.proxy.ctl(["park"]);
    assert.equal(again.code, 8);
    assert.match(again.stderr, /^proxyctl: The proxy is parked already: process \d+ .*\n$/);
  },
);

testWith(no, "only a drained proxy can be parked", async () => {
  await using stage = await Stage.set();
  const open = await stage.proxy.ctl(["park"]);
  assert.deepEqual(
    [open.code, open.stderr],
    [8, "proxyctl: The proxy is open, and must be drained to be parked: proxyctl drain\n"],
  );
  using _active = await stage.proxy.served();
  assert.equal((await stage.proxy.ctl(["drain", "--no-wait"])).code, 0);
  const draining = await stage.proxy.ctl(["park"]);
  assert.equal(draining.code, 8);
  assert.match(draining.stderr, /^proxyctl: The proxy is draining, .*\n$/);
});

testWith(no, "a proxy with the portable relay cannot be parked", async () => {
  await using stage = await Stage.set({ args: ["--relay=portable"] });
  await stage.drain();
  const { code, stderr } = await stage.proxy.ctl(["park"]);
  assert.equal(code, 8);
  assert.match(stderr, /^proxyctl: The proxy cannot be parked: .*epoll.*\n$/);
});

testWith(no, "the keeper has nothing open that its caller had open for proxyctl", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  const file = `${stage.directory}/../held`;
  const through = ["sh", "-c", `exec 9>"$0"; exec "$@"`, file];
  await using ctl = stage.proxy.startCtl(["park", "--json"], { through });
  const { code, stdout, stderr } = await ctl.finished();
  assert.equal(code, 0, stderr);
  const { keeper } = JSON.parse(stdout);
  const open = Array.from(Deno.readDirSync(`/proc/${keeper}/fd`), ({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${keeper}/fd/${name}`);
    } catch {
      return ""; // closed just now
    }
  });
  assert.deepEqual(open.filter((path) => path.endsWith("/held")), []);
  await stage.resume(stage.proxy);
});

testWith(
  no,
  "of two who park it at the same time one does, and the other gets exit code 8",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const [one, other] = await Promise.all([1, 2].map(() => stage.proxy.ctl(["park", "--json"])));
    const [parked, refused] = one?.code === 0 ? [one, other] : [other, one];
    assert.deepEqual([parked?.code, refused?.code], [0, 8], `${one?.stderr}${other?.stderr}`);
    assert.match(refused?.stderr ?? "", /^proxyctl: [^\n]*is parked already[^\n]*\n$/);
    Deno.kill(JSON.parse(parked?.stdout ?? "").keeper, "SIGTERM");
  },
);
