import assert from "node:assert/strict";
import { IPV6, NAMESPACES } from "../machine.ts";
import { KINDS } from "./kinds.ts";

const tests = new URL("../", import.meta.url);

/** A network of its own, in which the one port that the system gives to clients is the service's. */
const NETWORK = "ip link set lo up && echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range";

for (const kind of KINDS) {
  Deno.test({
    name:
      `${kind}: a client does not hear itself where a service is not there, whoever was held before`,
    ignore: !NAMESPACES || !IPV6,
    fn: async () => {
      const script = `
        const { RELAYS } = await import("${tests}relays.ts");
        const { plainOptions, UNHEARD } = await import("${tests}plain.ts");
        const { Peer } = await import("${tests}peer.ts");
        const upstream = { host: "127.0.0.1", port: 40000 };
        const options = { ...plainOptions(upstream), connectTimeout: 200 };
        const connectFailed = (_, error) => console.log(error);
        const events = { ...UNHEARD, connectFailed };
        const relay = await RELAYS["${kind}"]({ host: null, port: 30000 }, options, events);
        // On a socket for both families it has an address of the longer kind.
        const client = await Peer.connect({ host: "127.0.0.1", port: 30000 });
        await client.send("is anybody there?");
        while (relay.queued !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
        await relay.open();
        console.log(await client.ending, client.received);
        Deno.exit(0);`;
      const command = [Deno.execPath(), "eval", "--quiet", script];
      const { stdout, stderr } = await new Deno.Command("unshare", {
        args: ["--net", "sh", "-c", `${NETWORK} && exec "$@"`, "sh", ...command],
      }).output();
      assert.equal(new TextDecoder().decode(stderr), "");
      assert.match(new TextDecoder().decode(stdout), /^(.*refused.*\n)+reset 0\n$/);
    },
  });
}
