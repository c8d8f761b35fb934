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

/**
 * The libraries that parse arguments and write logs look for `NO_COLOR` and its like; what is not
 * granted reads as unset instead of ending the program.
 */
const environment = (...names: string[]): string[] => [
  "--no-prompt",
  "--ignore-env",
  `--allow-env=${["NO_COLOR", ...names].join()}`,
];

/** The four programs. */
export const PROGRAMS = {
  server: {
    script: "server.ts",
    executable: "hello-world-server",
    permissions: [...environment("LISTEN_PID", "LISTEN_FDS"), "--allow-net"],
  },
  client: {
    script: "client.ts",
    executable: "hello-world-client",
    permissions: [...environment("HELLO_WORLD_SERVER", "TERM"), "--allow-net"],
  },
  proxy: {
    script: "proxy.ts",
    executable: "disnix-tcp-proxy",
    workers: ["lib/relay/epoll/worker.ts"],
    permissions: [
      ...environment(
        "RUNTIME_DIRECTORY",
        "XDG_RUNTIME_DIR",
        "LISTEN_PID",
        "LISTEN_FDS",
        "NOTIFY_SOCKET",
        "DISNIX_TCP_PROXY_PREDECESSOR",
        "DISNIX_TCP_PROXY_FAILURE_FILE",
      ),
      "--allow-net",
      // The epoll relay calls the C library.
      "--allow-ffi",
      // The runtime directory can be anywhere; /etc/group is read.
      "--allow-read",
      "--allow-write",
      // An upgrade starts the same program again; where that is cannot be known here.
      "--allow-run",
      "--allow-sys=uid",
    ],
  },
  proxyctl: {
    script: "proxyctl.ts",
    executable: "proxyctl",
    permissions: [
      ...environment(
        "PROXYCTL_RUNTIME_DIR",
        "XDG_RUNTIME_DIR",
        "SUDO_USER",
      ),
      "--allow-net",
      "--allow-read",
      "--allow-write",
      // with-drain runs the command that it is given, and park starts a keeper.
      "--allow-run",
      // The keeper calls the C library.
      "--allow-ffi",
      // userInfo() of node:os asks for all of these to say the user's name.
      "--allow-sys=uid,gid,username,homedir",
    ],
  },
} as const satisfies Record<string, Program>;
