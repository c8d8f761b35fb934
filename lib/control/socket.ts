import { setTimeout as delay } from "node:timers/promises";
import { AppearingSocket } from "../appearing_socket.ts";
import { Failure } from "../command_line.ts";
import { messageOf } from "../message_of.ts";
import { pathsIn } from "../runtime_directory.ts";

/** How long those who are being answered may hold up the end, in milliseconds. */
const CLOSE_TIMEOUT = 500;

/** How long a successor may take to appear, in milliseconds. */
const SUCCESSOR_TIMEOUT = 5000;

/** How often it is looked for, in milliseconds. */
const PAUSE = 10;

/** A server on the control socket. */
export interface ControlSocket {
  /** Lets it be found. Only for the owner of the directory. */
  appear(): Promise<void>;
  /** Stops, and removes the socket if it is still the one that was bound. */
  close(): Promise<void>;
  /**
   * Stops once a successor serves under the same name, so that somebody always answers; or after a
   * while, if none does.
   */
  giveWay(): Promise<void>;
}

/**
 * Serves HTTP on a control socket, which is not found under its name before it
 * {@linkcode ControlSocket.appear appears}.
 *
 * @param directory the runtime directory: nobody else may be able to make files in it
 * @param group the numeric id of the group that may use it, if there is one
 * @throws {Failure} when it cannot be made
 */
export async function serveControl(
  directory: string,
  group: number | null,
  handler: (request: Request) => Promise<Response>,
): Promise<ControlSocket> {
  const name = new AppearingSocket(pathsIn(directory).control);
  const server = await makeServer(name.temporary, group, handler).catch((error) => {
    throw new Failure(`Failed to make the control socket in ${directory}: ${messageOf(error)}`);
  });
  const close = async () => {
    // Who connected just before a successor got the name is still to be accepted.
    if (!await name.disappear()) await delay(PAUSE);
    // Clients that stay connected and say nothing must not hold up the end.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT));
    await Promise.race([server.shutdown(), limit]);
    clearTimeout(timer);
  };
  return {
    appear: () => name.appear(),
    close,
    async giveWay() {
      const deadline = performance.now() + SUCCESSOR_TIMEOUT;
      while (await name.isThere() && performance.now() < deadline) await delay(PAUSE);
      await close();
    },
  };
}

async function makeServer(
  path: string,
  group: number | null,
  handler: (request: Request) => Promise<Response>,
): Promise<Deno.HttpServer> {
  // The server unlinks the path it was bound to when it closes: by then that is nobody's.
  const server = Deno.serve({ path, onListen() {} }, handler);
  try {
    if (group !== null) await Deno.chown(path, null, group);
    await Deno.chmod(path, group === null ? 0o600 : 0o660);
    return server;
  } catch (error) {
    await server.shutdown();
    throw error;
  }
}
