import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { echo, Peer } from "../relay/peer.ts";
import { Stage } from "../keeper/stage.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { commandOf, complete, Running, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { whyNoRelay } from "../support/why_no_relay.ts";

/** An address that no other test uses: systemd-socket-activate cannot say which port it got. */
function ownAddress(): { host: string; port: number } {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return { host: `127.${a}.${b}.${1 + c % 254}`, port: 8080 };
}

/** Why there is no IPv6 here; `null` if there is. */
function noIPv6(): string | null {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return null;
  } catch {
    return "no IPv6";
  }
}

function unusedPort6(): number {
  using listener = Deno.listen({ hostname: "::1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function whyNot(relay: "epoll" | "portable"): string | null {
  return without("systemd-socket-activate") ?? whyNoRelay(relay);
}

for (const relay of ["epoll", "portable"] as const) {
  const missing = whyNot(relay);

  testWith(
    missing,
    `${relay}: it serves on the socket that was passed on, and who waited there`,
    async () => {
      await using service = await echo();
      await using temporary = await TemporaryDirectory.make();
      const address = ownAddress();
      const upstream = formatAddress(service.address);
      const through = ["systemd-socket-activate", "-l", formatAddress(address)];
      const args = ["8080", upstream, "--runtime-dir", `${temporary.path}/proxy`, "--relay", relay];
      await using proxy = start("proxy", [...args, "--log-format=json"], { through });
      await proxy.heard(/Listening on .* as 3/);
      using first = await Peer.connect(address);
      await first.send("hi");
      assert.equal(await first.read(2), "hi");
      const [line] = await proxy.heard(/\{.*"event":"listen".*\n/);
      const { listen, inherited, message } = JSON.parse(line);
      assert.deepEqual([listen, inherited], [formatAddress(address), true]);
      assert.match(
        message,
        /^Listening on \S+:8080 \(passed on by the service manager\), upstream /,
      );
      proxy.kill("SIGTERM");
      await proxy.heard(/"event":"stop"/);
      first.finish();
      assert.equal(await first.rest(), "");
      assert.equal((await proxy.finished()).code, 0);
    },
  );

  testWith(
    missing,
    `${relay}: nobody is lost when idle proxies end and follow each other on one socket`,
    async () => {
      await using service = await echo();
      await using temporary = await TemporaryDirectory.make();
      const address = ownAddress();
      // A service manager in miniature: the shell keeps the socket, and starts proxy after proxy.
      const again = `while sh -c 'LISTEN_PID=$$ exec "$0" "$@"' "$0" "$@"; do :; done`;
      await using manager = new Running([
        ...["systemd-socket-activate", "-l", formatAddress(address)],
        ...["sh", "-c", again, ...commandOf("proxy"), "8080", formatAddress(service.address)],
        ...["--runtime-dir", `${temporary.path}/proxy`, "--relay", relay],
        ...["--exit-idle-time", "0s", "--log-format=json"],
      ]);
      await manager.heard(/Listening on .* as 3/);
      const proxies = () => manager.stderr.match(/"event":"idle_exit"/g)?.length ?? 0;
      for (let index = 0; proxies() < brieflyOr(3, 10); index++) {
        using client = await Peer.connect(address);
        await client.send(`${index}`);
        client.finish();
        assert.equal(await client.rest(), `${index}`);
        // Come back sooner and later: before, at and after the moment the proxy ends.
        await new Promise((resolve) => setTimeout(resolve, 10 * (index % 13)));
      }
      assert.ok(!manager.stderr.includes("disnix-tcp-proxy:"), manager.stderr);
    },
  );

  testWith(
    missing,
    `${relay}: a socket on another port than the command line's is refused, naming both`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const address = ownAddress();
      const through = ["systemd-socket-activate", "-l", formatAddress(address)];
      const args = ["8081", "127.0.0.1:9", "--runtime-dir", `${temporary.path}/proxy`];
      await using proxy = start("proxy", [...args, "--relay", relay], { through });
      await proxy.heard(/Listening on .* as 3/);
      using _client = await Peer.connect(address);
      const { code, stderr } = await proxy.finished();
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^disnix-tcp-proxy: The service manager .* on port 8081, .* descriptor 3 .*:8080\n$/m,
      );
      assert.deepEqual([...Deno.readDirSync(temporary.path)], []);
    },
  );

  testWith(
    missing,
    `${relay}: a descriptor that is no listening TCP socket is refused in one line`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const unix = `${temporary.path}/socket`;
      for (
        const script of [
          'LISTEN_PID=$$ exec "$@" 3<&-',
          'LISTEN_PID=$$ exec "$@" 3</dev/null',
          `exec systemd-socket-activate -l ${unix} "$@"`,
        ]
      ) {
        const args = [
          "0",
          "127.0.0.1:9",
          "--runtime-dir",
          `${temporary.path}/proxy`,
          "--relay",
          relay,
        ];
        const words = ["sh", "-c", script, "sh", ...commandOf("proxy"), ...args];
        await using proxy = new Running(words, { env: { LISTEN_FDS: "1" } });
        if (script.includes(unix)) {
          await proxy.heard(/Listening on .* as 3/);
          (await Deno.connect({ transport: "unix", path: unix })).close();
        }
        const { code, stderr } = await proxy.finished();
        const said = stderr.split("\n").filter((line) => line.startsWith("disnix-tcp-proxy:"));
        assert.equal(said.length, 1, stderr);
        assert.match(
          said[0] ?? "",
          /passed on no TCP socket that listens: descriptor 3 [^\n]*cannot be used: /,
        );
        assert.equal(code, 1);
      }
    },
  );
}

Deno.test("what a service manager passed to another process is not ours", async () => {
  await using service = await echo();
  const env = { LISTEN_PID: "1", LISTEN_FDS: "1" };
  await using proxy = await Proxy.start(service.address, { env });
  using _client = await proxy.served();
  assert.equal(proxy.log("listen")[0]?.["inherited"], false);
});

for (const relay of ["epoll", "portable"] as const) {
  testWith(
    whyNot(relay) ?? noIPv6(),
    `${relay}: all sockets on the port are served, and a line names those that are on another`,
    async () => {
      await using service = await echo();
      await using temporary = await TemporaryDirectory.make();
      const address = ownAddress();
      const other = { ...ownAddress(), port: 8081 };
      const six = { host: "::1", port: unusedPort6() };
      const four = { ...address, port: six.port };
      const listen = [four, other, six].flatMap((one) => ["-l", formatAddress(one)]);
      const through = ["systemd-socket-activate", "--fdname=four:other:six", ...listen];
      const directory = `${temporary.path}/proxy`;
      const upstream = formatAddress(service.address);
      const args = [`${six.port}`, upstream, "--runtime-dir", directory, "--relay", relay];
      await using proxy = start("proxy", [...args, "--log-format=json"], { through });
      await proxy.heard(/Listening on .* as 5/);
      const serve = async () => {
        for (const one of [four, six]) {
          using client = await Peer.connect(one);
          await client.send("hi");
          assert.equal(await client.read(2), "hi");
        }
      };
      await serve();
      await proxy.heard(
        /not served: descriptor 4 \(other\) listens on \S+:8081"?.*"event":"ignored_sockets"/,
      );
      await proxy.heard(new RegExp(`"listen":"${formatAddress(four)}, \\[::1\\]:${six.port}"`));
      if (relay === "portable") return;
      const ctl = (...verb: string[]) =>
        complete("proxyctl", ["--runtime-dir", directory, ...verb]);
      // The command line names no address, and the next process is passed nothing.
      const { code, stdout, stderr } = await ctl("upgrade", "--json");
      assert.equal(code, 0, stderr);
      try {
        await serve();
      } finally {
        Deno.kill(JSON.parse(stdout).pid.new, "SIGKILL");
      }
    },
  );
}

testWith(
  onlyForLong ?? whyNoEpoll() ?? (await import("../support/passing.ts")).whyNotPassing(),
  "two sockets outlive a parked proxy, and one that is passed on since is served as well",
  async () => {
    // Not before: what it is made of can only be loaded where it can run.
    const { libc } = await import("../../lib/linux/libc.ts");
    const { listen, localAddress } = await import("../../lib/linux/socket.ts");
    const { passing } = await import("../support/passing.ts");
    const address = ownAddress();
    const first = listen({ host: address.host, port: 0 }, false, 16);
    const { port } = localAddress(first);
    const hosts = ["127.77.0.2", "127.77.0.3"];
    const sockets = [first, ...hosts.map((host) => listen({ host, port }, false, 16))];
    const places = sockets.map((socket) => localAddress(socket));
    await using stage = await Stage.set({
      listen: `${port}`,
      through: passing(sockets.slice(0, 2)),
    });
    await stage.drain();
    const early = await Promise.all(places.map((place) => Peer.connect(place)));
    for (const client of early) await client.send("hi");
    await until(() => stage.proxy.status(), ({ queued }) => queued === 2);
    await stage.park();
    await stage.stop();
    const parked = await stage.proxy.status();
    assert.deepEqual([parked.state, parked.queued], ["parked", 2]);
    assert.equal(parked.listen, places.slice(0, 2).map(formatAddress).join(", "));
    const next = await stage.next({ through: passing(sockets), listen: `${port}` });
    await stage.resume(next);
    for (const client of early) assert.equal(await client.read(2), "hi");
    const another = await stage.next({ args: ["--takeover=always"], listen: `${port}` });
    for (const client of early) {
      await client.send("yo");
      assert.equal(await client.read(2), "yo");
      client[Symbol.dispose]();
    }
    for (const place of places) {
      using client = await Peer.connect(place);
      await client.send("ho");
      assert.equal(await client.read(2), "ho");
    }
    assert.equal((await another.status()).listen, places.map(formatAddress).join(", "));
    for (const socket of sockets) libc.close(socket);
  },
);
