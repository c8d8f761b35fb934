import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathsIn } from "../runtime_directory.ts";

/** How long those who are being answered may hold up the end, in milliseconds. */
const CLOSE_TIMEOUT = 500;

/** How long a successor may take to appear, in milliseconds. */
const SUCCESSOR_TIMEOUT = 5000;

/** How often it is looked for, in milliseconds. */
const PAUSE = 10;

/** A server on the control socket. */
export interface ControlSocket {
  /** Stops, and removes the socket if it is still the one that was bound. */
  close(): Promise<void>;
  /**
   * Stops once a successor serves under the same name, so that somebody always answers; or after a
   * while, if none does.
   */
  giveWay(): Promise<void>;
}

/**
 * Serves HTTP on the control socket, which appears under its name only once it accepts.
 *
 * @param directory the runtime directory: nobody else may be able to make files in it
 * @param group the numeric id of the group that may use it, if there is one
 * @throws when it cannot be made
 */
export async function serveControl(
  directory: string,
  group: number | null,
  handler: (request: Request) => Promise<Response>,
): Promise<ControlSocket> {
  const path = pathsIn(directory).control;
  // The server unlinks the path it was bound to when it closes. That must be nobody else's by then:
  // not the final one, and not one at which a successor is just appearing.
  await removeRemains(directory, `${basename(path)}.`);
  const temporary = `${path}.${crypto.randomUUID().slice(0, 4)}`;
  const server = Deno.serve({ path: temporary, onListen() {} }, handler);
  try {
    if (group !== null) await Deno.chown(temporary, null, group);
    await Deno.chmod(temporary, group === null ? 0o600 : 0o660);
    await Deno.rename(temporary, path);
  } catch (error) {
    await server.shutdown();
    throw error;
  }
  const { ino } = await Deno.lstat(path);
  const isThere = async () => (await Deno.lstat(path).catch(() => null))?.ino === ino;
  const close = async () => {
    if (await isThere()) await Deno.remove(path).catch(() => {});
    // Who connected just before a successor got the name is still to be accepted.
    else await delay(PAUSE);
    // Clients that stay connected and say nothing must not hold up the end.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT));
    await Promise.race([server.shutdown(), limit]);
    clearTimeout(timer);
  };
  return {
    close,
    async giveWay() {
      const deadline = performance.now() + SUCCESSOR_TIMEOUT;
      while (await isThere() && performance.now() < deadline) await delay(PAUSE);
      await close();
    },
  };
}

/** Sockets of those who died before theirs had its name. */
async function removeRemains(directory: string, prefix: string): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (name.startsWith(prefix)) await Deno.remove(join(directory, name)).catch(() => {});
  }
}
