import assert from "node:assert/strict";
import { IPV6, NAMESPACES } from "../machine.ts";
import { KINDS } from "./kinds.ts";
import { runInOwnNetwork } from "./own_network.ts";

for (const kind of KINDS) {
  Deno.test({
    name: `${kind}: all addresses are those of IPv4 too, where the system keeps them apart`,
    ignore: !NAMESPACES || !IPV6,
    fn: async () => {
      const said = await runInOwnNetwork("sysctl -qw net.ipv6.bindv6only=1", "one_family.ts", kind);
      assert.equal(said, "done\n");
    },
  });
}
