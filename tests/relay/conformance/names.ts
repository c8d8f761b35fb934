import assert from "node:assert/strict";
import { brieflyOr } from "../../support/long.ts";
import { NAMESPACES } from "../machine.ts";
import { NameServer } from "../name_server.ts";
import { echo, Peer, Service, unusedAddress } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** With a full stop, so that the system does not try it in domains of its own. */
const NAME = "service.test.";

/** How a service is found that is given by name. */
export function testNames(kind: Kind): void {
  Deno.test({
    name: `${kind}: a name server that has become silent costs nobody a connection`,
    ignore: !NAMESPACES,
    fn: async () => {
      await using names = await NameServer.start();
      names.address = "127.0.0.1";
      let service = await echo("first ");
      const { port } = service.address;
      await using relay = await RelayInProcess.start(kind, { host: NAME, port }, names.through);
      using before = await Peer.connect(relay.listen);
      assert.equal(await before.read(6), "first ");
      names.isSilent = true;
      await relay.ask("hold");
      using held = await Peer.connect(relay.listen);
      await relay.ask("open");
      assert.equal(await held.read(6), "first ");
      await service[Symbol.asyncDispose]();
      using patient = await Peer.connect(relay.listen);
      while ((await relay.ask()).failures < 3) await pause(5);
      service = await echo("second", { port });
      assert.equal(await patient.read(6), "second");
      assert.equal(names.isSilent, true);
      await service[Symbol.asyncDispose]();
    },
  });

  Deno.test({
    name:
      `${kind}: however many wait for a name that does not exist, it is asked for once a second, and each of them four times a second`,
    ignore: !NAMESPACES,
    fn: async () => {
      await using names = await NameServer.start();
      const { port } = await unusedAddress();
      await using relay = await RelayInProcess.start(kind, { host: NAME, port }, names.through);
      await eventually(() => names.questions > 0);
      const started = performance.now();
      const before = names.questions;
      const clients = await Promise.all(
        Array.from({ length: 20 }, () => Peer.connect(relay.listen)),
      );
      await eventually(() => names.questions >= before + 3);
      const { failures, connectFailures } = await relay.ask();
      const seconds = (performance.now() - started) / 1000;
      const questions = names.questions - before;
      assert(questions <= seconds + 2, `${questions} in ${seconds} s`);
      // The first pauses are shorter.
      const most = clients.length * (4 * seconds + 5);
      assert(failures <= most && failures > 20, `${failures} failures in ${seconds} s`);
      assert(connectFailures >= failures);
      names.address = "127.0.0.1";
      await using _service = await echo("there you are", { port });
      for (const client of clients) {
        assert.equal(await client.read(13), "there you are");
        client[Symbol.dispose]();
      }
    },
  });

  Deno.test({
    name: `${kind}: who comes before a name has been found waits for that`,
    ignore: !NAMESPACES,
    fn: async () => {
      await using names = await NameServer.start();
      names.isSilent = true;
      const { port } = await unusedAddress();
      await using relay = await RelayInProcess.start(kind, { host: NAME, port }, names.through);
      await using service = await echo("there you are", { port });
      using client = await Peer.connect(relay.listen);
      await eventually(() => names.questions > 0);
      assert.equal(service.accepted, 0);
      names.address = "127.0.0.1";
      // The system asks again by itself.
      names.isSilent = false;
      assert.equal(await client.read(13), "there you are");
    },
  });

  Deno.test(`${kind}: a name that means the relay itself is as one that nobody answers`, async () => {
    await using service = await echo("there you are");
    await using stage = await Stage.set(kind, { upstream: service.address });
    stage.relay.retarget({ host: "localhost", port: stage.relay.listen.port });
    const client = await stage.client();
    const { failures } = stage.events;
    await eventually(() => failures.length > 3);
    assert.match(failures.at(-1)?.error ?? "", /is this proxy itself|refused/);
    assert.deepEqual([stage.relay.active, stage.relay.counters.accepted], [1, 1]);
    stage.relay.retarget(service.address);
    assert.equal(await client.read(13), "there you are");
  });

  Deno.test(`${kind}: retargets back and forth harm none of many who wait for a service that refuses`, async () => {
    const { host, port } = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream: { host, port }, connectTimeout: null });
    const clients = await Promise.all(Array.from({ length: 100 }, () => stage.client()));
    for (
      let count = 0;
      count < brieflyOr(10, 100) && stage.events.breakages.length === 0;
      count++
    ) {
      for (const upstream of [{ host, port }, { host: "localhost", port }]) {
        stage.relay.retarget(upstream);
        await pause(Math.random() * 3);
      }
    }
    assert.deepEqual(stage.events.breakages, []);
    await using _service = await echo("there you are", { port });
    for (const client of clients) assert.equal(await client.read(13), "there you are");
  });

  Deno.test(`${kind}: a service by name that goes down and up while clients keep coming breaks nothing`, async () => {
    let service = await Service.start({}, ({ socket }) => socket.end("hello"));
    const { port } = service.address;
    await using stage = await Stage.set(kind, { upstream: { host: "localhost", port } });
    const { breakages, failures, surrenders } = stage.events;
    let goesOn = true;
    let served = 0;
    const keepComing = async () => {
      while (goesOn && breakages.length === 0) {
        try {
          using client = await Peer.connect(stage.relay.listen);
          if (await client.ending === "end") served++;
        } catch (error) {
          // What was on its way to the service when it went down is lost with it.
          if ((error as { code?: string }).code !== "ECONNRESET") breakages.push(error as Error);
        }
      }
    };
    const clients = Array.from({ length: 64 }, keepComing);
    const more = (count: () => number) => {
      const before = count();
      return eventually(() => count() > before + 64 || breakages.length > 0);
    };
    for (let round = 0; round < brieflyOr(2, 6); round++) {
      await more(() => served);
      await service[Symbol.asyncDispose]();
      await more(() => failures.length);
      service = await Service.start({ port }, ({ socket }) => socket.end("hello"));
    }
    await more(() => served);
    goesOn = false;
    await Promise.all(clients);
    await service[Symbol.asyncDispose]();
    assert.deepEqual(breakages, []);
    assert.deepEqual(surrenders, []);
  });
}
