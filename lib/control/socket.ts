import { pathsIn } from "../runtime_directory.ts";

/** How long those who are being answered may hold up the end, in milliseconds. */
const CLOSE_TIMEOUT = 500;

/** A server on the control socket. */
export interface ControlSocket {
  /** Stops, and removes the socket if it is still the one that was bound. */
  close(): Promise<void>;
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
  // The server unlinks the path it was bound to when it closes: that must not be the final one,
  // which may be a successor's by then.
  const temporary = `${path}.new`;
  await Deno.remove(temporary).catch(() => {});
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
  return {
    async close() {
      const info = await Deno.lstat(path).catch(() => null);
      if (info?.ino === ino) await Deno.remove(path).catch(() => {});
      // Clients that stay connected and say nothing must not hold up the end.
      let timer: ReturnType<typeof setTimeout> | undefined;
      const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT));
      await Promise.race([server.shutdown(), limit]);
      clearTimeout(timer);
    },
  };
}
