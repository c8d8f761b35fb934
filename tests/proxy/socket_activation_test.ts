import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/relay/epoll/available.ts";
import { echo, Peer } from "../relay/peer.ts";
import { commandOf, Running, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

/** An address that no other test uses: systemd-socket-activate cannot say which port it got. */
function ownAddress(): { host: string; port: number } {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return { host: `127.${a}.${b}.${1 + c % 254}`, port: 8080 };
}

const noManager = without("systemd-socket-activate");

for (const relay of ["epoll", "portable"] as const) {
  const missing = noManager ?? (relay === "epoll" ? whyNoEpoll() : null);

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
      for (let index = 0; proxies() < 10; index++) {
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
        /^disnix-tcp-proxy: The service manager .* port 8080, .* says 8081: .*\n$/m,
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
          /what the service manager passed on, which must be a listening TCP/,
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

testWith(
  noManager,
  "of several sockets the first is served, and a line says that the others are not",
  async () => {
    await using service = await echo();
    await using temporary = await TemporaryDirectory.make();
    const address = ownAddress();
    const listen = ["-l", formatAddress(address), "-l", formatAddress(ownAddress())];
    const args = [
      "8080",
      formatAddress(service.address),
      "--runtime-dir",
      `${temporary.path}/proxy`,
    ];
    const through = ["systemd-socket-activate", ...listen];
    await using proxy = start("proxy", [...args, "--log-format=json"], { through });
    await proxy.heard(/Listening on .* as 4/);
    using client = await Peer.connect(address);
    await client.send("hi");
    assert.equal(await client.read(2), "hi");
    await proxy.heard(/passed on 2 sockets: only .* the first.*"event":"ignored_sockets"/);
  },
);
