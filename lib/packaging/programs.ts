/** A program: its script, its executable, and the least permissions that it works with. */
export interface Program {
  /** The entry point, relative to the top of the repository. */
  readonly script: string;
  /** The name of the executable made of it. */
  readonly executable: string;
  /** Scripts that it starts as Workers, which the compiler does not find by itself. */
  readonly workers?: readonly string[];
  /** Flags for `deno run` and `deno compile` alike. */
  readonly permissions: readonly string[];
}

/** Libraries look for more variables; what is not granted reads as unset, and ends nothing. */
const environment = (...names: string[]): string[] => [
  "--no-prompt",
  "--ignore-env",
  `--allow-env=${names.join()}`,
];

/** The four programs. */
export const PROGRAMS = {
  server: {
    script: "server.ts",
    executable: "hello-world-server",
    permissions: [
      // Socket activation.
      ...environment("LISTEN_PID", "LISTEN_FDS"),
      // To listen wherever it is told to.
      "--allow-net",
    ],
  },
  client: {
    script: "client.ts",
    executable: "hello-world-client",
    permissions: [
      // The server, if the command line names none.
      ...environment("HELLO_WORLD_SERVER"),
      // The server can be anywhere.
      "--allow-net",
    ],
  },
  proxy: {
    script: "proxy.ts",
    executable: "disnix-tcp-proxy",
    workers: ["lib/relay/epoll/worker.ts"],
    permissions: [
      ...environment(
        // Where the runtime directory is, by systemd or by default.
        "RUNTIME_DIRECTORY",
        "XDG_RUNTIME_DIR",
        // Socket activation.
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        // The service manager wants to hear how it is doing.
        "NOTIFY_SOCKET",
        "JOURNAL_STREAM",
        // It was started by a proxy, in order to take over from that.
        "DISNIX_TCP_PROXY_PREDECESSOR",
        "DISNIX_TCP_PROXY_FAILURE_FILE",
      ),
      // Clients and the service can be anywhere; the control socket is one as well.
      "--allow-net",
      // The epoll relay calls the C library.
      "--allow-ffi",
      // The runtime directory can be anywhere; /etc/group is read.
      "--allow-read",
      "--allow-write",
      // An upgrade starts the same program again; where that is cannot be known here.
      "--allow-run",
      // The runtime directory must be its own; an upstream must not be the proxy itself, on whatever
      // interface.
      "--allow-sys=uid,networkInterfaces",
    ],
  },
  proxyctl: {
    script: "proxyctl.ts",
    executable: "proxyctl",
    permissions: [
      ...environment(
        // Where the proxy is.
        "PROXYCTL_RUNTIME_DIR",
        "PROXYCTL_HOST",
        "XDG_RUNTIME_DIR",
        // Who owns a drain.
        "SUDO_USER",
        // Whether a terminal can move its cursor.
        "TERM",
        // To find a command before anything is drained for it.
        "PATH",
      ),
      // The control socket, for which Deno wants the permission to read and write it besides.
      "--allow-net",
      "--allow-read",
      "--allow-write",
      // with-drain runs the command that it is given, and park starts a keeper.
      "--allow-run",
      // The keeper calls the C library.
      "--allow-ffi",
      // userInfo() of node:os asks for all of these to say the user's name.
      "--allow-sys=uid,gid,username",
    ],
  },
} as const satisfies Record<string, Program>;
