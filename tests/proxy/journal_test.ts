import assert from "node:assert/strict";
import { PRIORITY } from "../../lib/journal.ts";
import { Systemd } from "../nix/replay/managers/systemd.ts";
import { Peer, unusedAddress } from "../relay/peer.ts";
import { freePort } from "../support/free_port.ts";
import { controlRequest } from "../support/control_request.ts";
import { commandOf } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";

const JOURNALD = "/lib/systemd/systemd-journald";

/** A journal that keeps everything in memory, and has no other sources than services. */
const JOURNAL: Readonly<Record<string, string>> = {
  "systemd-journald.socket": `
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/systemd/journal/stdout
ListenDatagram=/run/systemd/journal/socket
`,
  "systemd-journald.service": `
[Unit]
DefaultDependencies=no
[Service]
Type=notify
ExecStartPre=mkdir -p /run/systemd/journald.conf.d /run/log/journal
ExecStartPre=sh -c 'printf "[Journal]\\\\nStorage=volatile\\\\nReadKMsg=no\\\\nAudit=no\\\\n" >/run/systemd/journald.conf.d/own.conf'
ExecStart=${JOURNALD}
StandardOutput=null
`,
};

/** Of each level, as JSON names it. */
const PRIORITIES: Readonly<Record<string, number>> = {
  ERROR: PRIORITY.error,
  WARN: PRIORITY.warning,
  INFO: PRIORITY.info,
  DEBUG: PRIORITY.debug,
};

/** A line of the journal, as far as it matters here. */
interface Line {
  readonly PRIORITY: string;
  readonly MESSAGE: string;
}

testWith(
  without(...Systemd.commands, JOURNALD, "journalctl") ?? Systemd.whyNot(),
  "a real journal has each line of the log with its priority, and systemd says how the proxy is doing",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const { path } = temporary;
    await using manager = await Systemd.start(path);
    const run = async (...words: string[]) => {
      const [file = "", ...args] = [...manager.through, ...words];
      const { success, stdout, stderr } = await new Deno.Command(file, { args }).output();
      const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert.ok(success, `${words.join(" ")}: ${decode(stderr)}`);
      return decode(stdout);
    };
    const units = manager.properties["systemdTargetDir"];
    const port = freePort();
    const nobody = await unusedAddress();
    await Deno.mkdir(`${path}/proxy`, { mode: 0o700 });
    // What makes an error at the start.
    await Deno.writeTextFile(`${path}/proxy/drain.json`, "{");
    const words = [
      ...commandOf("proxy"),
      ...[`127.0.0.1:${port}`, `127.0.0.1:${nobody.port}`, "--runtime-dir", `${path}/proxy`],
      ...["--log-level=debug", "--connect-timeout=none"],
    ];
    const environment = ["PATH", "HOME", "DENO_DIR"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [`Environment="${name}=${value}"`];
    });
    const files = {
      ...JOURNAL,
      "proxy.service": `
[Service]
Type=notify
NotifyAccess=all
${environment.join("\n")}
ExecStart=${words.map((word) => JSON.stringify(word)).join(" ")}
`,
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${units}/${name}`, text);
    }
    await run("systemctl", "daemon-reload");
    await run("systemctl", "start", "systemd-journald.socket", "systemd-journald.service");
    await run("systemctl", "start", "proxy.service");
    using _client = await Peer.connect({ host: "127.0.0.1", port });
    const read = async () => {
      const text = await run("journalctl", "--unit=proxy.service", "--output=json", "--no-pager");
      const lines = text.trim().split("\n").filter((line) => line.startsWith("{"));
      return lines.map((line) => JSON.parse(line) as Line)
        .filter(({ MESSAGE }) => MESSAGE.startsWith("{"))
        .map(({ PRIORITY, MESSAGE }) => ({ ...JSON.parse(MESSAGE), priority: Number(PRIORITY) }));
    };
    const seen = (lines: { priority: number }[]) => new Set(lines.map(({ priority }) => priority));
    const lines = await until(read, (lines) => seen(lines).size === 4);
    assert.deepEqual(seen(lines), new Set(Object.values(PRIORITY)));
    for (const { level, priority, message } of lines) {
      assert.equal(priority, PRIORITIES[level], message);
    }
    const socket = `${path}/proxy/control.sock`;
    const { text } = await controlRequest(socket, "POST", "/v1/drain", { owner: "me" });
    assert.match(text, /"drained"/);
    const status = () => run("systemctl", "show", "--property=StatusText", "proxy.service");
    await until(status, (text) => text === "StatusText=drained, 0 active, 1 queued\n");
  },
);
