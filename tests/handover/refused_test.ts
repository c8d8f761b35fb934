import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { Service, unusedAddress } from "../relay/peer.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { complete, type Finished, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { peerCommand } from "./peer.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";
import { onlyForLong } from "../support/long.ts";

/** A second proxy that is to be refused. */
interface Refused {
  readonly args: (first: Proxy) => readonly string[];
  readonly check?: (finished: Finished, first: Proxy) => void;
  /** By default 1. */
  readonly exitCode?: number;
}

/** What no proxy can be started with, and the exit code. */
const WRONG = {
  "--threads=x": 2,
  "--control-group=no-such-group": 1,
  "--half-close-timeout=1": 2,
};

const stack = new AsyncDisposableStack();
Deno.test.afterAll(() => stack.disposeAsync());
let first: Promise<{ service: Service; proxy: Proxy }> | undefined;

/** The first proxy: the same for all who are refused, since it does not change by that. */
async function startFirst() {
  const service = stack.use(await Service.start());
  const proxy = stack.use(await Proxy.start(service.address));
  return { service, proxy };
}

/** Runs second proxies to their end, with a first one whose client must not notice. */
async function refuse(...all: readonly Refused[]): Promise<void> {
  const { service, proxy } = await (first ??= startFirst());
  using wire = await Wire.through(proxy.address, service);
  for (const end of wire.ends) end.talk();
  for (const { args, check = () => {}, exitCode = 1 } of all) {
    const finished = await complete("proxy", args(proxy));
    assert.match(finished.stderr, /^disnix-tcp-proxy: [^\n]+\n$/);
    assert.equal(finished.code, exitCode);
    check(finished, proxy);
  }
  await wire.settle();
  assert.equal(wire.fault, null);
  assert.deepEqual(proxy.log("handover_failed"), [], "it was frozen");
}

testWith(
  whyNoTakeover,
  "to take over with another listen address is refused, and both are named",
  async () => {
    const { port } = await unusedAddress();
    await refuse({
      args: ({ directory }) => [
        ...[`127.0.0.1:${port}`, "127.0.0.1:9", "--runtime-dir", directory],
        "--takeover=always",
      ],
      check: ({ stderr }, { address, process }) => {
        assert.ok(
          stderr.includes(`listens on ${formatAddress(address)}, not on 127.0.0.1:${port}`),
        );
        assert.ok(stderr.includes(`process ${process.pid}`), stderr);
      },
    });
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "a second start by accident is refused in a line that says how to replace what runs",
  async () => {
    await refuse({
      args: ({ directory, address }) => [
        ...[formatAddress(address), "127.0.0.1:9", "--runtime-dir", directory],
      ],
      check: ({ stderr }, { directory, process }) => {
        for (const part of [`(process ${process.pid})`, directory]) {
          assert.ok(stderr.includes(part), stderr);
        }
        assert.match(
          stderr,
          /^disnix-tcp-proxy: [^\n]*proxyctl upgrade[^\n]*--takeover always.*\n$/,
        );
      },
    });
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "a successor with arguments that cannot be used does not touch the one that runs",
  async () => {
    await refuse(
      ...Object.entries(WRONG).map(([option, exitCode]) => ({
        args: ({ directory, address }: Proxy) => [
          ...[formatAddress(address), "127.0.0.1:9", "--runtime-dir", directory],
          ...["--takeover=always", option],
        ],
        exitCode,
      })),
    );
  },
);

testWith(
  whyNoTakeover ?? noOtherUser(),
  "another user may not take over, even where the sockets can be reached",
  async () => {
    await using user = await AnotherUser.make();
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o755);
    await using service = await Service.start();
    const directory = `${temporary.path}/proxy`;
    await using proxy = await Proxy.start(service.address, { directory });
    const listen = formatAddress(proxy.address);
    const args = [listen, "127.0.0.1:9", "--runtime-dir", directory, "--takeover=always"];
    assert.equal((await user.complete("proxy", args)).code, 1);

    await Deno.chmod(directory, 0o777);
    await Deno.chmod(`${directory}/handover.sock`, 0o777);
    await using peer = await user.run(peerCommand("receiver", directory, 1));
    await peer.heard(/^refusal: user \d+ may not take over from user \d+$/m, "stdout");
    assert.equal((await proxy.status()).pid, proxy.process.pid);
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "who is refused leaves the directory as it was",
  async () => {
    const { port } = await unusedAddress();
    await using service = await Service.start();
    await using proxy = await Proxy.start(service.address, { args: ["--control-group=0"] });
    const mode = () => (Deno.statSync(proxy.directory).mode ?? 0) & 0o777;
    assert.equal(mode(), 0o750);
    const args = [`127.0.0.1:${port}`, "127.0.0.1:9", "--runtime-dir", proxy.directory];
    assert.equal((await complete("proxy", [...args, "--takeover=always"])).code, 1);
    assert.equal(mode(), 0o750);
  },
);

testWith(
  whyNoTakeover,
  "of several successors at once each takes over or is told who does, and nothing is lost",
  async () => {
    await using service = await Service.start();
    await using proxy = await Proxy.start(service.address);
    using wire = await Wire.through(proxy.address, service);
    for (const end of wire.ends) end.talk();
    await using all = new AsyncDisposableStack();
    const args = [formatAddress(proxy.address), formatAddress(service.address)];
    const successors = Array.from(
      { length: 4 },
      () =>
        all.use(
          start("proxy", [...args, "--runtime-dir", proxy.directory, "--takeover=always"]),
        ),
    );
    const alive = new Set(successors);
    for (const one of successors) void one.finished().then(() => alive.delete(one));
    await proxy.process.finished();
    await until(() => Promise.resolve(alive.size), (count) => count === 1);
    const [last] = alive;
    await last?.heard(/Listening/);
    for (const { stderr } of successors) assert.doesNotMatch(stderr, /clients are lost/);
    assert.equal((await proxy.status()).pid, last?.pid);
    await wire.settle();
    assert.equal(wire.fault, null);
  },
);
