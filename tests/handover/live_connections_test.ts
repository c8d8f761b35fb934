import assert from "node:assert/strict";
import { Service, unusedAddress } from "../relay/peer.ts";
import { brieflyOr } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { Lineage } from "./lineage.ts";
import { connected, Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How the takeovers differ from each other. */
const OPTIONS = [
  ["--threads=2"],
  ["--threads=1", "--idle-timeout=1h"],
  ["--threads=3", "--max-connections=3"],
  ["--threads=auto", "--tcp-keepalive=none"],
];

/** How many takeovers there are. */
const TAKEOVERS = brieflyOr(OPTIONS.length, 100);

testWith(
  whyNoTakeover,
  `live connections in every state survive ${TAKEOVERS} takeovers, byte for byte`,
  async () => {
    await using service = await Service.start();
    await using lineage = await Lineage.found(service.address, ["--connect-timeout=none"]);
    const { address } = lineage;
    let number = 0;
    const wire = () => Wire.through(address, service, number++);

    using idle = await wire();
    using bulk = await wire();
    for (const end of bulk.ends) end.talk();
    // The client has ended, the service goes on; and the other way round.
    using clientEnded = await wire();
    clientEnded.client.say(100_000);
    clientEnded.client.socket.end();
    await clientEnded.service.until(() => clientEnded.service.ending === "end", "an end");
    using serviceEnded = await wire();
    serviceEnded.service.say(100_000);
    serviceEnded.service.socket.end();
    await serviceEnded.client.until(() => serviceEnded.client.ending === "end", "an end");
    // Nobody reads: all buffers on the way are full.
    using slowClient = await wire();
    slowClient.client.socket.pause();
    slowClient.service.talk();
    using slowService = await wire();
    slowService.service.socket.pause();
    slowService.client.talk();
    // All has been said, ending included, and nobody has read it.
    using unread = await wire();
    unread.service.socket.pause();
    unread.client.say(20_000_000);
    unread.client.socket.end();
    // The service that this one goes to does not run yet.
    const later = await unusedAddress();
    await lineage.replace(later, ["--connect-timeout=none", "--threads=2"]);
    const waiting = await connected(address);
    waiting.write("hi");
    const wires = [idle, bulk, clientEnded, serviceEnded, slowClient, slowService, unread];

    // Who has no service yet is held where more are active than there may be.
    const served = async () => {
      const names = wires.map(({ name }) => name);
      return (await lineage.connections()).filter(({ peer }) => names.includes(peer));
    };
    let before = await served();
    assert.equal(before.length, wires.length);
    assert.equal((await lineage.proxy.status()).active, wires.length + 1);
    const { accepted } = await lineage.proxy.status();
    for (let takeover = 0; takeover < TAKEOVERS; takeover++) {
      const options = OPTIONS[takeover % OPTIONS.length] ?? [];
      await lineage.replace(later, ["--connect-timeout=none", ...options]);
      const status = await lineage.proxy.status();
      assert.equal(status.accepted, accepted);
      assert.equal(status.active + (status.queued ?? NaN), wires.length + 1);
      const now = await served();
      for (const one of before) {
        const same = now.find(({ id }) => id === one.id);
        assert.ok(same, `connection ${one.id} of ${one.peer} is gone`);
        assert.deepEqual([same.peer, same.upstream, same.state], [
          one.peer,
          one.upstream,
          one.state,
        ]);
        assert.ok(same.ageSeconds >= one.ageSeconds, "it has become younger");
        assert.ok(same.bytesUp >= one.bytesUp && same.bytesDown >= one.bytesDown);
      }
      assert.equal(now.length, before.length);
      before = now;
      // All that can still speak do, so that each takeover has something of them in flight.
      idle.client.say(1);
      clientEnded.service.say(50_000);
      serviceEnded.client.say(50_000);
    }

    slowClient.client.socket.resume();
    slowService.service.socket.resume();
    unread.service.socket.resume();
    for (const one of wires) await one.settle();
    for (const one of wires) assert.equal(one.fault, null);
    await unread.service.until(() => unread.service.ending === "end", "an end");
    assert.equal(unread.service.heard, 20_000_000);
    assert.deepEqual([idle.isOver, bulk.isOver, slowClient.isOver, slowService.isOver], [
      false,
      false,
      false,
      false,
    ]);
    const counted = (await lineage.connections()).find(({ peer }) => peer === bulk.name);
    assert.equal(counted?.bytesUp, bulk.service.heard);
    assert.equal(counted?.bytesDown, bulk.client.heard);

    await using late = await Service.start(later);
    const far = await late.next();
    assert.equal(await far.read(2), "hi");
    waiting.destroy();
  },
);
