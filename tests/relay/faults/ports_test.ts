import assert from "node:assert/strict";
import { NAMESPACES } from "../machine.ts";
import { EPOLL_KINDS } from "./kinds.ts";
import { runInOwnNetwork } from "./own_network.ts";

const PORTS = 40;

for (const kind of EPOLL_KINDS) {
  Deno.test({
    name: `${kind}: out of local ports, clients wait until there are some again, and none is reset`,
    ignore: !NAMESPACES,
    fn: async () => {
      const range = `sysctl -qw net.ipv4.ip_local_port_range="40000 ${40000 + PORTS - 1}"`;
      const said = await runInOwnNetwork(range, "few_ports.ts", kind, `${PORTS}`);
      assert.equal(said, "done\n");
    },
  });
}
