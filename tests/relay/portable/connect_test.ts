import assert from "node:assert/strict";
import type { Address } from "../../../lib/address.ts";
import { connect } from "../../../lib/relay/portable/connect.ts";
import { Upstream } from "../../../lib/relay/upstream.ts";
import { LINUX, NAMESPACES } from "../machine.ts";
import { echo, unusedAddress } from "../peer.ts";
import { swallowingPort } from "../swallowing_port.ts";

const NEVER = new AbortController().signal;

/** A service whose name has these addresses, one list for each time it is looked up. */
class Named extends Upstream {
  constructor(port: number, ...answers: readonly string[][]) {
    let lookUps = 0;
    super({ host: "service.test", port }, {
      find: () => Promise.resolve(answers[Math.min(lookUps++, answers.length - 1)] ?? []),
      // May be looked up whenever somebody wants that.
      now: () => 1000 * performance.now(),
    });
  }
}

Deno.test({
  name: "connect tries the addresses of a name in turn, and keeps to the one that answered",
  ignore: !LINUX,
  fn: async () => {
    await using service = await echo("", { host: "127.0.0.2" });
    const { port } = service.address;
    const name = new Named(port, ["127.0.0.1", "::1", "127.0.0.2"]);
    const failures: string[] = [];
    const failed = (_: Address, error: string) => failures.push(error);
    const connected = await connect(name, 1000, failed, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
    assert.deepEqual(failures, []);
    assert.equal(name.hosts?.[0], "127.0.0.2");
  },
});

Deno.test({
  name: "connect looks a name up again after each failure",
  ignore: !LINUX,
  fn: async () => {
    await using service = await echo("", { host: "127.0.0.2" });
    const { port } = service.address;
    const name = new Named(port, ["127.0.0.1"], ["127.0.0.3"], ["127.0.0.2"]);
    const connected = await connect(name, 5000, () => {}, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
  },
});

Deno.test({
  name: "connect leaves time for the addresses after one that never answers",
  ignore: !LINUX,
  fn: async () => {
    using hole = await swallowingPort();
    const { port } = hole.address;
    await using _service = await echo("", { host: "127.0.0.2", port });
    const name = new Named(port, ["127.0.0.1", "127.0.0.2"]);
    const connected = await connect(name, 600, () => {}, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
  },
});

Deno.test("connect gives up in time while a name is still being looked up", async () => {
  const { port } = await unusedAddress();
  const stuck = new Upstream({ host: "service.test", port }, {
    find: () => new Promise<string[]>(() => {}),
  });
  const failures: string[] = [];
  const connected = await connect(stuck, 100, (_, error) => failures.push(error), NEVER);
  assert.equal(connected, null);
  assert.deepEqual(new Set(failures), new Set(["service.test is still being looked up"]));
});

Deno.test({
  name: "connect does not take a connection to itself for one to the service",
  ignore: !NAMESPACES,
  fn: async () => {
    // A network of its own, where the one port the system gives to clients is the service's.
    const range = "/proc/sys/net/ipv4/ip_local_port_range";
    const library = new URL("../../../lib/relay/", import.meta.url);
    const script = `
      const { connect } = await import("${library}portable/connect.ts");
      const { Upstream } = await import("${library}upstream.ts");
      const upstream = new Upstream({ host: "127.0.0.1", port: 40000 });
      const failed = (_, error) => console.log(error);
      const connected = await connect(upstream, 100, failed, new AbortController().signal);
      console.log(connected === null ? "nobody there" : "connected");
      Deno.exit(0);`;
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        "--net",
        "sh",
        "-c",
        `ip link set lo up && echo 40000 40000 > ${range} && exec "$@"`,
        "sh",
        Deno.execPath(),
        "eval",
        "--quiet",
        script,
      ],
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.match(
      new TextDecoder().decode(stdout),
      /^connection refused by .*\n(.*\n)*nobody there\n$/,
    );
  },
});
