/** The Debian package on a Debian with a systemd of its own: installed, upgraded, removed. */

import assert from "node:assert/strict";
import { basename } from "node:path";
import type { Status } from "../../lib/control/api.ts";
import { packDebian } from "../../lib/packaging/debian.ts";
import { echo, Peer } from "../relay/peer.ts";
import { freePort } from "../support/free_port.ts";
import { whyNoExecutables } from "../support/executables.ts";
import { isLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { succeeded } from "../support/scene.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { releasedContent } from "./content.ts";
import { DebianMachine, whyNoDebian } from "./debian_machine.ts";
import { DebianPage } from "./debian_page.ts";

const no = isLong
  ? whyNoExecutables ?? without("dpkg-deb", "lintian") ?? whyNoDebian()
  : "only with LONG";

/** How many clients talk all the time. */
const CLIENTS = 32;

/** A client that asks and is answered, again and again, until it is told to stop. */
class Talker {
  rounds = 0;
  #goesOn = true;
  readonly #done: Promise<void>;

  constructor(readonly peer: Peer) {
    this.#done = this.#talk();
    this.#done.catch(() => {});
  }

  async #talk(): Promise<void> {
    while (this.#goesOn) {
      const words = `round ${this.rounds}\n`;
      await this.peer.send(words);
      assert.equal(await this.peer.read(words.length), words);
      this.rounds++;
    }
    this.peer.finish();
    assert.equal(await this.peer.rest(), "");
  }

  /** @throws when anything was lost */
  async stop(): Promise<void> {
    this.#goesOn = false;
    await this.#done;
  }
}

/** Two versions of the package, of the same executables. @returns their file names */
async function packages(output: string): Promise<[string, string]> {
  const content = await releasedContent(output);
  const first = await packDebian({ ...content, version: "1.0.0" }, output);
  const next = await packDebian({ ...content, version: "1.0.1" }, output, ["-Znone"]);
  return [basename(first), basename(next)];
}

testWith(
  no,
  "a Debian package is installed, upgraded and removed, and no client lost",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o755);
    const [first, next] = await packages(temporary.path);
    await using lint = new Running(["lintian", "--fail-on=error", `${temporary.path}/${first}`]);
    succeeded("lintian", await lint.finished());

    await using service = await echo();
    await using machine = await DebianMachine.start(temporary.path);
    const run = (...command: string[]) => machine.run(...command);
    await run("dpkg", "-i", `/packages/${first}`);

    const open = freePort();
    const drained = freePort();
    for (const port of [open, drained]) {
      const settings = `UPSTREAM=127.0.0.1:${service.address.port}\n` +
        "OPTIONS=--threads 2 --control-group disnix-tcp-proxy\n";
      await run("sh", "-c", `printf "$0" >/etc/disnix-tcp-proxy/${port}.conf`, settings);
    }
    await run("systemctl", "enable", "--now", `disnix-tcp-proxy@${open}`);
    await run("systemctl", "enable", "--now", `disnix-tcp-proxy@${drained}.socket`);
    const connect = (port: number) => Peer.connect({ host: "127.0.0.1", port });
    const ctl = (port: number, ...words: string[]) =>
      run("proxyctl", "--port", `${port}`, ...words);
    const status = async (port: number): Promise<Status> =>
      JSON.parse(await ctl(port, "status", "--json"));

    // Its first client has systemd start it.
    const early = new Talker(await connect(drained));
    await until(() => early.rounds, (rounds) => rounds > 0);
    await early.stop();
    await ctl(drained, "drain");
    using held = await connect(drained);
    await held.send("held");
    const talkers = await Promise.all(
      Array.from({ length: CLIENTS }, async () => new Talker(await connect(open))),
    );
    await until(() => talkers.every(({ rounds }) => rounds > 0), (all) => all);
    const before = [await status(open), await status(drained)];
    const page = await DebianPage.start(machine);
    await page.shows(open, drained);

    await run("dpkg", "-i", `/packages/${next}`);

    const after = [await status(open), await status(drained)];
    for (const [index, { pid }] of after.entries()) assert.notEqual(pid, before[index]?.pid);
    assert.deepEqual(after.map(({ state }) => state), ["open", "drained"]);
    assert.equal(after[0]?.active, CLIENTS);
    await page.shows(open, drained);
    const rounds = talkers.map((talker) => talker.rounds);
    await until(
      () => talkers.every((talker, index) => talker.rounds > (rounds[index] ?? 0)),
      (all) => all,
    );
    await Promise.all(talkers.slice(1).map((talker) => talker.stop()));
    await ctl(drained, "resume");
    assert.equal(await held.read(4), "held");
    held.finish();
    assert.equal(await held.rest(), "");
    // Nothing of the version before stays.
    for (const { pid } of before) {
      const isThere = () => run("sh", "-c", `test -e /proc/${pid} && echo there || echo gone`);
      await until(isThere, (where) => where === "gone");
    }
    const main = await run(
      "systemctl",
      "show",
      "--value",
      "--property=MainPID",
      `disnix-tcp-proxy@${open}`,
    );
    assert.equal(Number(main), after[0]?.pid);

    // One is still there, and may finish.
    const [last] = talkers;
    assert.ok(last);
    const removing = run("dpkg", "--remove", "disnix-tcp-proxy");
    await until(
      () => connect(open).then((peer) => peer[Symbol.dispose](), () => null),
      (is) => is === null,
    );
    const soFar = last.rounds;
    await until(() => last.rounds, (now) => now > soFar);
    await last.stop();
    await removing;
    const units = await run(
      "systemctl",
      "list-units",
      "--plain",
      "--no-legend",
      "disnix-tcp-proxy*",
    );
    assert.equal(units, "");
    await run("dpkg", "--purge", "disnix-tcp-proxy");
    const left = await run(
      ..."find /etc /usr /var/lib/dpkg/info -name *disnix-tcp-proxy*".split(" "),
    );
    assert.equal(left, "");
  },
);
