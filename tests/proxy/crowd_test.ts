import assert from "node:assert/strict";
import { echo, type Peer } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

const CROWD = 1500;

testWith(
  onlyForLong,
  "with no more than its own permissions the proxy serves a crowd at once",
  async () => {
    await using upstream = await echo();
    await using proxy = await Proxy.start(upstream.address);
    const peers: Peer[] = [];
    try {
      for (let count = 0; count < CROWD; count++) peers.push(await proxy.served());
      const { active, queued } = await proxy.status();
      assert.deepEqual({ active, queued }, { active: CROWD, queued: 0 });
      assert.deepEqual(proxy.log("full"), []);
    } finally {
      for (const peer of peers) peer[Symbol.dispose]();
    }
  },
);
