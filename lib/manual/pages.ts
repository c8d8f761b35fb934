/**
 * The manual pages of the four programs, and what they say besides what `--help` does.
 *
 * @module
 */

import type { Command } from "commander";
import { commandLine as proxyctlCommandLine, NAME as PROXYCTL } from "../commands/program.ts";
import { EXIT, EXIT_MEANINGS } from "../exit_codes.ts";
import {
  CLIENT,
  clientCommandLine,
  SERVER,
  SERVER_VARIABLE,
  serverCommandLine,
} from "../protocol/command_lines.ts";
import { commandLine as proxyCommandLine, NAME as PROXY } from "../proxy/options.ts";
import { VERSION } from "../version.ts";
import { manualPage, type Named, type Supplement } from "./page.ts";

const NO_COLOR: Named = ["NO_COLOR", "If it is set, help and errors have no color."];
const DUMB: Named = [
  "TERM",
  "If it is dumb, no cursor is moved: what is new is a line of its own.",
];
const LISTEN: Named = [
  "LISTEN_PID, LISTEN_FDS",
  "The sockets that a service manager passes on (socket activation).",
];

const USUAL_CODES: readonly Named[] = [
  [`${EXIT.done}`, "Done, or stopped as asked."],
  [`${EXIT.unexpected}`, "It failed; one line on stderr says why."],
  [`${EXIT.usage}`, "Bad usage: what the command line alone shows to be wrong."],
];

const SUPPLEMENTS: Readonly<Record<string, Supplement>> = {
  [PROXY]: {
    environment: [
      [
        "RUNTIME_DIRECTORY",
        "The runtime directory, if --runtime-dir is not given, as systemd makes one.",
      ],
      ["XDG_RUNTIME_DIR", "Where the runtime directories of users other than root are."],
      LISTEN,
      ["LISTEN_FDNAMES", "The names of these sockets, for the log."],
      ["NOTIFY_SOCKET", "Where the service manager hears that the proxy is ready, and how it is."],
      [
        "JOURNAL_STREAM",
        "If stderr is the journal that it names, each line begins with its priority, as in <4>.",
      ],
      NO_COLOR,
    ],
    files: [
      ["/run/disnix-tcp-proxy/LISTEN", "The runtime directory of a proxy that root runs."],
      ["$XDG_RUNTIME_DIR/disnix-tcp-proxy/LISTEN", "That of a proxy that somebody else runs."],
      ["control.sock", "In the runtime directory: where proxyctl asks, in HTTP and JSON."],
      ["drain.json", "In it as well: the drain, so that it survives a crash."],
    ],
    signals: [
      [
        "SIGTERM, SIGINT, SIGQUIT",
        "Serve those who are queued, let active connections finish for --stop-timeout, cut the " +
        "rest, and end. A second one cuts at once.",
      ],
      [
        "SIGHUP",
        "Start the executable again, which takes over with all connections, as proxyctl upgrade " +
        "does. Ignored if it was at the start (nohup); as SIGTERM if the terminal is gone that the " +
        "proxy was started from.",
      ],
    ],
    exitStatus: USUAL_CODES,
    examples: [
      ["Stand in front of a service on port 9080:", "disnix-tcp-proxy 8080 127.0.0.1:9080"],
      [
        "Take over from the proxy that runs there, with another upstream for new connections:",
        "disnix-tcp-proxy --takeover always 8080 127.0.0.1:9081",
      ],
    ],
    seeAlso: [PROXYCTL, SERVER],
  },
  [PROXYCTL]: {
    environment: [
      ["PROXYCTL_RUNTIME_DIR", "The runtime directory of the proxy that is meant."],
      ["PROXYCTL_HOST", "Where the proxies run: as --host, several with spaces between them."],
      ["XDG_RUNTIME_DIR", "Where the runtime directories of users other than root are."],
      ["SUDO_USER", "The owner of drains, unless one is named."],
      DUMB,
      ["PATH", "Where with-drain looks for its command, before it drains."],
      NO_COLOR,
    ],
    files: [
      ["/run/disnix-tcp-proxy/LISTEN", "Where a proxy that root runs is found by itself."],
      ["$XDG_RUNTIME_DIR/disnix-tcp-proxy/LISTEN", "Where one of your own is."],
    ],
    signals: [
      [
        "SIGINT, SIGTERM",
        "While it waits for a drain: cancel that, so that the proxy is open again.",
      ],
    ],
    exitStatus: [
      ...(Object.keys(EXIT) as (keyof typeof EXIT)[]).map((name): Named => {
        const meaning = EXIT_MEANINGS[name];
        return [`${EXIT[name]}`, `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`];
      }),
      [
        "with-drain",
        "exits as its command did; with 127 or 126 if that was not found or could not be run, and " +
        "with 128 and the signal's number if a signal ended it.",
      ],
    ],
    examples: [
      [
        "Upgrade a service, and resume whatever happens to that:",
        "proxyctl with-drain -- systemctl restart my-service",
      ],
      [
        "The same in steps, with a look at who is in the way:",
        "proxyctl drain --timeout 2m\nproxyctl connections\nproxyctl resume --wait-upstream 30s",
      ],
    ],
    seeAlso: [PROXY],
  },
  [SERVER]: {
    environment: [LISTEN, NO_COLOR],
    files: [],
    signals: [["SIGTERM, SIGINT", "Take no more clients, and end."]],
    exitStatus: USUAL_CODES,
    examples: [["A service to try the proxy with:", "hello-world-server 127.0.0.1:9080"]],
    seeAlso: [CLIENT, PROXY],
  },
  [CLIENT]: {
    environment: [
      [SERVER_VARIABLE, "HOST:PORT of the server, if it is not given."],
      NO_COLOR,
    ],
    files: [],
    signals: [],
    exitStatus: USUAL_CODES,
    examples: [["Greet a server:", "echo hello | hello-world-client localhost:8080"]],
    seeAlso: [SERVER, PROXY],
  },
};

/**
 * The manual pages, all of section 1.
 *
 * @param date that stands in them, `2026-11-28`
 * @returns their text by the names of the programs
 */
export function manualPages(date: string): Map<string, string> {
  const commands: Command[] = [
    proxyCommandLine(),
    proxyctlCommandLine(() => {}),
    serverCommandLine(),
    clientCommandLine(),
  ];
  return new Map(commands.map((command) => {
    const name = command.name();
    const supplement = SUPPLEMENTS[name];
    if (supplement === undefined) throw new Error(`No supplement for ${name}`);
    return [name, manualPage(command, supplement, VERSION, date)];
  }));
}
