import assert from "node:assert/strict";
import type { Address } from "../../lib/address.ts";
import { connect, type Target } from "../../lib/relay/portable/connect.ts";
import { conformance } from "./conformance.ts";
import { LINUX, NAMESPACES } from "./machine.ts";
import { echo, unusedAddress } from "./peer.ts";
import { swallowingPort } from "./swallowing_port.ts";

conformance("portable");

const NEVER = new AbortController().signal;

/** A target whose name has these addresses, one list for each time it is looked up. */
function target(port: number, ...answers: string[][]): Target & { lookUps: number } {
  let known: string[] | null = null;
  const found = {
    address: { host: "service.test", port },
    lookUps: 0,
    resolver: {
      addresses() {
        known ??= answers[Math.min(found.lookUps++, answers.length - 1)] ?? [];
        return Promise.resolve(known);
      },
      forget() {
        known = null;
      },
      prefer(address: string) {
        known = [address, ...known?.filter((other) => other !== address) ?? []];
      },
    },
  };
  return found;
}

Deno.test({
  name: "connect tries the addresses of a name in turn, and keeps to the one that answered",
  ignore: !LINUX,
  fn: async () => {
    await using service = await echo("", { host: "127.0.0.2" });
    const { port } = service.address;
    const name = target(port, ["127.0.0.1", "::1", "127.0.0.2"]);
    const failures: string[] = [];
    const failed = (_: Address, error: string) => failures.push(error);
    const connected = await connect(() => name, 1000, failed, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
    assert.deepEqual(failures, []);
    assert.equal((await name.resolver.addresses())[0], "127.0.0.2");
  },
});

Deno.test({
  name: "connect looks a name up again after each failure",
  ignore: !LINUX,
  fn: async () => {
    await using service = await echo("", { host: "127.0.0.2" });
    const { port } = service.address;
    const name = target(port, ["127.0.0.1"], ["127.0.0.3"], ["127.0.0.2"]);
    const connected = await connect(() => name, 5000, () => {}, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
    assert.equal(name.lookUps, 3);
  },
});

Deno.test({
  name: "connect leaves time for the addresses after one that never answers",
  ignore: !LINUX,
  fn: async () => {
    using hole = await swallowingPort();
    const { port } = hole.address;
    await using _service = await echo("", { host: "127.0.0.2", port });
    const name = target(port, ["127.0.0.1", "127.0.0.2"]);
    const connected = await connect(() => name, 600, () => {}, NEVER);
    connected?.socket.destroy();
    assert.equal(connected?.upstream, `127.0.0.2:${port}`);
  },
});

Deno.test("connect gives up in time while a name is still being looked up", async () => {
  const stuck = {
    address: await unusedAddress(),
    resolver: {
      addresses: () => new Promise<string[]>(() => {}),
      forget() {},
      prefer() {},
    },
  };
  const failures: string[] = [];
  const connected = await connect(() => stuck, 100, (_, error) => failures.push(error), NEVER);
  assert.equal(connected, null);
  assert.deepEqual(new Set(failures), new Set(["no address for 127.0.0.1"]));
});

Deno.test({
  name: "connect does not take a connection to itself for one to the service",
  ignore: !NAMESPACES,
  fn: async () => {
    // A network of its own, where the one port the system gives to clients is the service's.
    const range = "/proc/sys/net/ipv4/ip_local_port_range";
    const module = new URL("../../lib/relay/portable/connect.ts", import.meta.url);
    const script = `
      const { connect } = await import("${module}");
      const address = { host: "127.0.0.1", port: 40000 };
      const addresses = () => Promise.resolve([address.host]);
      const target = { address, resolver: { addresses, forget() {}, prefer() {} } };
      const failed = (_, error) => console.log(error);
      const connected = await connect(() => target, 100, failed, new AbortController().signal);
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
