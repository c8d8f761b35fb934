import { readFile } from "../linux/read_file.ts";

/** What the end of this process would do to one that takes over from it. */
export type Consequence =
  /** It would end as well. */
  | "ends"
  /** It may: what is known of this place does not say. */
  | "may end"
  /** Nothing. */
  | "none";

/** How the processes of a PID namespace hang together. */
export interface Family {
  /** Whether what is known is of this PID namespace: it has a /proc of its own. */
  readonly isKnown: boolean;
  /** Whether a service manager wants to be told how this process is doing (sd_notify(3)). */
  readonly isManaged: boolean;
  /** The process that has started this one; 0 if it is in another PID namespace. */
  parentOf(pid: number): number;
  /** The name of its program (proc(5), comm: at most 15 bytes). */
  nameOf(pid: number): string;
  /** The one of its children that it has had for longest; `null` where the kernel does not tell. */
  oldestChildOf(pid: number): number | null;
}

/** Service managers: they go on, whoever ends, and have other processes than those they started. */
const MANAGERS = new Set([
  ...["systemd", "init", "openrc-init", "runit", "runsvdir", "s6-svscan", "supervisord", "dinit"],
  ...["shepherd", "finit", "procd", "circusd"],
]);

/** Programs that end when the one ends that they have started last, or only: containers begin so. */
const FOLLOWERS = new Set([
  ...["tini", "tini-static", "docker-init", "dumb-init", "catatonit", "podman-init"],
  ...["sh", "ash", "bash", "busybox", "dash", "ksh", "zsh"],
  ...["su", "sudo", "runuser", "timeout", "script", "unshare", "nsenter", "bwrap"],
]);

/** Container runtimes, where there is no PID namespace: when a container ends they kill its rest. */
const RUNTIMES = new Set(["containerd-shim", "conmon"]);

/**
 * Finds out what would become of a process that takes over from this one. In a container the kernel
 * kills all processes when the first one ends, and that is this one, or one that ends with it.
 */
export function consequenceOfEnd(self: number = Deno.pid, family: Family = system): Consequence {
  try {
    if (!family.isKnown) return Deno.ppid === 0 ? "ends" : "may end";
    for (let child = self;;) {
      const parent = family.parentOf(child);
      // The first process has no parent here, and neither has one that was put into a container.
      if (parent === 0) return "ends";
      const name = family.nameOf(parent);
      if (RUNTIMES.has(name)) return "ends";
      const endsToo = FOLLOWERS.has(name);
      if (parent === 1) {
        if (MANAGERS.has(name)) return "none";
        // It has all orphans as well, whose end is nothing to it.
        const isOldest = family.oldestChildOf(parent) === child;
        return endsToo && isOldest ? "ends" : "may end";
      }
      if (!endsToo) return "none";
      child = parent;
    }
  } catch {
    // There is no /proc, or it hides the processes of others (ProtectProc= in systemd.exec(5)).
    return family.isManaged ? "none" : "may end";
  }
}

const system: Family = {
  get isKnown() {
    return readFile("/proc/self/stat").startsWith(`${Deno.pid} `);
  },
  get isManaged() {
    return Boolean(Deno.env.get("NOTIFY_SOCKET"));
  },
  parentOf(pid) {
    if (pid === Deno.pid) return Deno.ppid;
    return Number(/^PPid:\s*(\d+)$/m.exec(readFile(`/proc/${pid}/status`))?.[1]);
  },
  nameOf: (pid) => readFile(`/proc/${pid}/comm`).trimEnd(),
  oldestChildOf(pid) {
    try {
      return Number(readFile(`/proc/${pid}/task/${pid}/children`).split(" ")[0]);
    } catch {
      return null;
    }
  },
};
