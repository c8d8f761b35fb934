import assert from "node:assert/strict";
import { libc } from "../../lib/linux/libc.ts";
import { listen, localAddress } from "../../lib/linux/socket.ts";
import { endInPeace } from "../relay/end_in_peace.ts";
import { echo, Peer, Service } from "../relay/peer.ts";
import { passing, whyNotPassing } from "../support/passing.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { FailingPeer, peerCommand } from "./peer.ts";
import { STEPS } from "./peer_process.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How many messages it takes to be told of all connections. */
const TOLD = STEPS.receiver.indexOf("prepare") + 1;

/** Both ends of a connection. */
interface Pair {
  readonly client: Peer;
  readonly server: Peer;
}

/** A proxy with connections of which another process has copies, and keeps them, whatever happens. */
async function scene(count: number, args: readonly string[] = []) {
  await using stack = new AsyncDisposableStack();
  const service = stack.use(await Service.start());
  const proxy = stack.use(await Proxy.start(service.address, { args }));
  const pairs: Pair[] = [];
  while (pairs.length < count) {
    const client = stack.use(await proxy.connect());
    const server = stack.use(await service.next());
    await client.send("hi");
    assert.equal(await server.read(2), "hi");
    pairs.push({ client, server });
  }
  const receiver = stack.use(new FailingPeer("receiver", proxy.directory, TOLD));
  await receiver.fail("hangs up");
  await proxy.logged("handover_failed");
  const all = stack.move();
  return { service, proxy, pairs, receiver, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** New connections are served, and are nobody else's. */
async function assertServes({ proxy, service }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  for (let count = 0; count < 20; count++) {
    using client = await proxy.connect();
    using server = await service.next();
    await client.send("more");
    assert.equal(await server.read(4), "more");
    await endInPeace(client, server);
  }
}

testWith(
  whyNoTakeover,
  "whatever ends while another process has copies of the sockets, ends for both sides, and at once",
  async () => {
    await using stage = await scene(4);
    const { proxy, pairs } = stage;
    const [inPeace, killed, byClient, byService] = pairs as [Pair, Pair, Pair, Pair];
    await endInPeace(inPeace.client, inPeace.server);
    const { connections } = JSON.parse((await proxy.request("GET", "/v1/connections")).text);
    const { id } = connections.find(({ peer }: { peer: string }) => peer === killed.client.name);
    await proxy.request("DELETE", `/v1/connections/${id}`);
    byClient.client.reset();
    byService.server.reset();
    const ends = [killed.client, killed.server, byClient.server, byService.client];
    for (const end of ends) assert.equal(await end.ending, "reset");
    await proxy.until(({ active }) => active === 0);
    await assertServes(stage);
  },
);

testWith(
  whyNoTakeover,
  "a service that is let go while another process has copies of its socket sees that at once",
  async () => {
    await using stage = await scene(1);
    const { service, proxy, pairs: [pair] } = stage;
    const { client, server } = pair as Pair;
    await server.send("yo");
    assert.equal(await client.read(2), "yo");
    await proxy.drain({ suspendQuiet: "50ms" });
    assert.equal(await server.rest(), "");
    await proxy.resume();
    await client.send("again");
    using next = await service.next();
    assert.equal(await next.read(5), "again");
    await next.send("here");
    assert.equal(await client.read(4), "here");
    await assertServes(stage);
  },
);

testWith(
  whyNoTakeover,
  "a proxy that is stopped while another process is told ahead ends, whatever that one does",
  async () => {
    await using service = await Service.start();
    await using proxy = await Proxy.start(service.address);
    await using receiver = new FailingPeer("receiver", proxy.directory, TOLD);
    await receiver.heard(/reached/, "stdout");
    proxy.process.kill("SIGTERM");
    const { code, stderr } = await proxy.process.finished();
    assert.equal(code, 0, stderr);
    const [failed] = proxy.log("handover_failed");
    assert.equal(failed?.["reason"], "it stops");
  },
);

testWith(
  whyNoTakeover ?? whyNotPassing(),
  "sockets that were passed on outlive an attempt to take over from who dies after it told ahead",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    using sockets = new DisposableStack();
    const listening = (host: string, port: number) => {
      const socket = listen({ host, port }, false, 16);
      sockets.defer(() => libc.close(socket));
      return socket;
    };
    const offered = listening("127.0.0.1", 0);
    const { port } = localAddress(offered);
    const another = listening("127.0.0.2", port);
    const steps = STEPS.giver.indexOf("ahead") + 1;
    const command = peerCommand("giver", directory, steps, port);
    await using giver = new Running([...passing([offered]), ...command]);
    await giver.heard(/listening/, "stdout");
    const starting = Proxy.start(service.address, {
      directory,
      listen: `127.0.0.1:${port}`,
      args: ["--takeover=always"],
      through: passing([offered, another]),
    });
    await giver.heard(/reached/, "stdout");
    giver.kill("SIGKILL");
    await using proxy = await starting;
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      using client = await Peer.connect({ host, port });
      await client.send("hi");
      assert.equal(await client.read(2), "hi", proxy.process.stderr);
    }
  },
);
