/** The state of a listening socket in /proc/net/tcp (net/tcp_states.h). */
const LISTENING = "0A";

/** The TCP ports that a process listens on, as Linux tells. */
export async function listeningPorts(pid: number): Promise<number[]> {
  const sockets = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) sockets.add(inode);
  }
  const ports = new Set<number>();
  for (const family of ["tcp", "tcp6"]) {
    const table = await Deno.readTextFile(`/proc/${pid}/net/${family}`).catch(() => "");
    for (const line of table.split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state !== LISTENING || !sockets.has(inode ?? "")) continue;
      ports.add(Number.parseInt(local?.split(":")[1] ?? "", 16));
    }
  }
  return [...ports].sort((a, b) => a - b);
}
