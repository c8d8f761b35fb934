import assert from "node:assert/strict";
import { formatAddress } from "../../../lib/address.ts";
import { IPV6, LINUX, NAMESPACES } from "../machine.ts";
import { echo, Peer, Service, unusedAddress } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { swallowingPort } from "../swallowing_port.ts";
import { eventually, pause } from "../waiting.ts";

/** How a service that is not (yet) there is dealt with, and one that moves. */
export function testConnecting(kind: Kind): void {
  Deno.test(`${kind}: a service that comes up late costs nobody a connection`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream });
    const began = performance.now();
    const client = await stage.client();
    await client.send("are you ");
    await eventually(() => stage.events.failures.length > 3);
    const [connection] = stage.connections();
    assert.equal(stage.relay.active, 1);
    assert.equal(connection?.state, "connecting");
    assert.equal(connection?.upstream, formatAddress(upstream));
    await client.send("there?");
    client.finish();
    await pause(1000);
    await using service = await Service.start(upstream);
    const server = await service.next();
    assert.equal(await server.rest(), "are you there?");
    await server.send("yes");
    server.finish();
    assert.equal(await client.rest(), "yes");
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["finished"]);
    assert.equal(stage.relay.counters.connectFailures, stage.events.failures.length);
    // It does not hammer either.
    const most = 50 + (performance.now() - began) / 100;
    assert(stage.events.failures.length < most, `${stage.events.failures.length} attempts`);
  });

  Deno.test(`${kind}: a service that refuses for too long resets the client`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream, connectTimeout: 300 });
    const client = await stage.client();
    assert.equal(await client.ending, "reset");
    await stage.over();
    const [closing] = stage.events.closings;
    assert((closing?.connection.age ?? 0) > 290, `${closing?.connection.age}`);
    assert.deepEqual(stage.events.reasons, ["upstream_unreachable"]);
    const [failure] = stage.events.failures;
    assert.equal(failure?.upstream, formatAddress(upstream));
    assert.match(failure?.error ?? "", /refused/i);
    assert.equal(stage.events.surrenders.length, 1);
    assert.match(stage.events.surrenders[0]?.error ?? "", /refused/i);
    assert.equal(stage.relay.counters.closed.upstream_unreachable, 1);
  });

  Deno.test({
    name: `${kind}: a service that never answers resets the client in time`,
    ignore: !LINUX,
    fn: async () => {
      using hole = await swallowingPort();
      await using stage = await Stage.set(kind, { upstream: hole.address, connectTimeout: 300 });
      const client = await stage.client();
      assert.equal(await client.ending, "reset");
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["upstream_unreachable"]);
      assert.equal(stage.events.surrenders.length, 1);
      assert(stage.events.failures.length > 0);
    },
  });

  Deno.test(`${kind}: a service may be named`, async () => {
    await using service = await echo();
    const upstream = { host: "localhost", port: service.address.port };
    await using stage = await Stage.set(kind, { upstream });
    const client = await stage.client();
    await client.send("hello");
    assert.equal(await client.read(5), "hello");
    const [connection] = stage.connections();
    assert.equal(connection?.upstream, formatAddress(service.address));
  });

  Deno.test({
    name: `${kind}: all addresses of a name are tried, and looked up again`,
    ignore: !NAMESPACES || !IPV6,
    fn: async () => {
      const hosts = await Deno.makeTempFile();
      const name = "service.test";
      await Deno.writeTextFile(hosts, `127.0.0.1 ${name}\n::1 ${name}\n`);
      await using sixth = await echo("six ", { host: "::1" });
      const { port } = sixth.address;
      // Its own hosts file, seen by nobody else.
      const through = ["unshare", "--mount", "sh", "-c"];
      through.push('mount --bind "$0" /etc/hosts && exec "$@"', hosts);
      await using relay = await RelayInProcess.start(kind, { host: name, port }, through);
      using first = await Peer.connect(relay.listen);
      assert.equal(await first.read(4), "six ");
      // Another machine now: the one before still answers, but only an open relay may go there.
      await using fourth = await echo("four", { host: "127.0.0.2", port });
      await Deno.writeTextFile(hosts, `127.0.0.2 ${name}\n`);
      await relay.ask("hold");
      await relay.ask("open");
      using second = await Peer.connect(relay.listen);
      assert.equal(await second.read(4), "four");
      // And after a failure, without being told.
      await Deno.writeTextFile(hosts, `127.0.0.3 ${name}\n`);
      await relay.ask("hold");
      await relay.ask("open");
      using third = await Peer.connect(relay.listen);
      while ((await relay.ask()).failures < 2) await pause(5);
      await Deno.writeTextFile(hosts, `127.0.0.2 ${name}\n`);
      assert.equal(await third.read(4), "four");
      assert.equal(fourth.accepted, 2);
      await Deno.remove(hosts);
    },
  });

  Deno.test(`${kind}: a name that cannot be resolved is tried again, then the client is reset`, async () => {
    const upstream = { host: "no-such-host.invalid", port: 1 };
    await using stage = await Stage.set(kind, { upstream, connectTimeout: 400 });
    const client = await stage.client();
    assert.equal(await client.ending, "reset");
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["upstream_unreachable"]);
    assert.equal(stage.events.surrenders.length, 1);
  });

  Deno.test(`${kind}: after a retarget new clients go elsewhere and established ones stay`, async () => {
    await using first = await echo("first ");
    await using second = await echo("second");
    await using stage = await Stage.set(kind, { upstream: first.address });
    const older = await stage.client();
    assert.equal(await older.read(6), "first ");
    stage.relay.retarget(second.address);
    assert.deepEqual(stage.relay.upstream, second.address);
    const newer = await stage.client();
    assert.equal(await newer.read(6), "second");
    await older.send("hello");
    assert.equal(await older.read(5), "hello");
    assert.deepEqual(
      stage.connections().map(({ upstream }) => upstream),
      [formatAddress(first.address), formatAddress(second.address)],
    );
  });

  Deno.test(`${kind}: after a retarget those who wait for a service that refuses follow`, async () => {
    await using service = await echo("there you are");
    await using stage = await Stage.set(kind, { upstream: await unusedAddress() });
    const client = await stage.client();
    await eventually(() => stage.events.failures.length > 0);
    stage.relay.retarget(service.address);
    assert.equal(await client.read(13), "there you are");
  });

  Deno.test({
    name: `${kind}: after a retarget those who wait for a service that never answers follow`,
    ignore: !LINUX,
    fn: async () => {
      using hole = await swallowingPort();
      await using service = await echo("there you are");
      const upstream = hole.address;
      await using stage = await Stage.set(kind, { upstream, connectTimeout: null });
      const client = await stage.client();
      await eventually(() => stage.relay.active === 1);
      await pause(20);
      stage.relay.retarget(service.address);
      assert.equal(await client.read(13), "there you are");
    },
  });

  Deno.test(`${kind}: a client that is reset while the service is still down is let go`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream });
    const client = await stage.client();
    await client.send("hello");
    await eventually(() => stage.events.failures.length > 1);
    client.reset();
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["client_reset"]);
  });
}
