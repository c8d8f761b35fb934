import { networkInterfaces } from "node:os";

/** Whether there is /proc, and all of 127.0.0.0/8 is this machine. */
export const LINUX = Deno.build.os === "linux";

/** Whether ::1 is this machine. */
export const IPV6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");

/** Whether we may, and have the tools to, give a process a network and mounts of its own. */
export const NAMESPACES = LINUX && canUnshare();

function canUnshare(): boolean {
  try {
    const uses = "ip link set lo up && mount --bind /etc /etc";
    const args = ["--mount", "--net", "sh", "-c", uses];
    return new Deno.Command("unshare", { args }).outputSync().success;
  } catch {
    return false;
  }
}

/** Words before a command that take root's right to go beyond hard limits, where there is root. */
export function unprivileged(): string[] {
  return Deno.uid() === 0 ? ["setpriv", "--bounding-set=-sys_resource"] : [];
}
