import type { Contender } from "./contender.ts";

const PROGRAM = "/usr/lib/systemd/systemd-socket-proxyd";

/**
 * systemd-socket-proxyd; it wants a socket that listens already, and no SIGPIPE: systemd's services
 * ignore it (IgnoreSIGPIPE=, systemd.exec(5)), and so it does not care for resets.
 */
export const socketProxyd: Contender = {
  name: "socket-proxyd",
  kind: "peer",
  version: [PROGRAM, "--version"],
  // Each takes six descriptors, of which some systems let a process have 20,000.
  mostIdle: 3000,
  prepare: ({ port, upstreamPort }) =>
    Promise.resolve([
      ...["sh", "-c", `trap "" PIPE; exec "$@"`, "sh"],
      "systemd-socket-activate",
      `--listen=127.0.0.1:${port}`,
      PROGRAM,
      // By default it takes 256.
      "--connections-max=8000",
      `127.0.0.1:${upstreamPort}`,
    ]),
};
