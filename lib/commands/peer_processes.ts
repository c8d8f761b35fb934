import { formatAddress, parseAddress, unmapped } from "../address.ts";

/** A process on this machine. */
export interface Process {
  readonly name: string;
  readonly pid: number;
}

/**
 * The processes on this machine that are connected to a proxy, by their addresses `HOST:PORT`: as far
 * as ss(8) is there and may see them.
 *
 * @param listen where the proxy listens, as its status says it
 */
export async function peerProcesses(listen: string): Promise<ReadonlyMap<string, Process>> {
  const ports = new Set(listen.match(/(?<=:)\d+(?=, |$)/g));
  const found = new Map<string, Process>();
  for (const line of (await socketsTo(ports)).split("\n")) {
    // State, what waits to be received and sent, its own address, that of the other side, who has it.
    const [, own = "", other = "", name = "", pid] =
      /^\S+ +\d+ +\d+ +(\S+) +(\S+) +users:\(\("((?:[^"\\]|\\.)*)",pid=(\d+)/.exec(line) ?? [];
    const address = pid !== undefined && ports.has(other.split(":").at(-1) ?? "") && canonical(own);
    if (address) found.set(address, { name, pid: Number(pid) });
  }
  return found;
}

/** What ss(8) says of the sockets whose other side has one of these ports: the kernel picks them. */
async function socketsTo(ports: ReadonlySet<string>): Promise<string> {
  if (ports.size === 0) return "";
  const filter = [...ports].map((port) => `dport = :${port}`).join(" or ");
  try {
    const { success, stdout } = await new Deno.Command("ss", {
      args: ["--no-header", "--tcp", "--numeric", "--processes", filter],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : "";
  } catch {
    return "";
  }
}

/** An address as the proxy writes it; `null` if it is none. */
function canonical(address: string): string | null {
  try {
    const { host, port } = parseAddress(address);
    return formatAddress({ host: unmapped(host), port });
  } catch {
    return null;
  }
}
