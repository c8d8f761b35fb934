import { setTimeout as delay } from "node:timers/promises";
import { AppearingSocket } from "../runtime_directory/appearing_socket.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import type { Handler } from "./http/messages.ts";
import { HttpServer } from "./http/server.ts";

/** How long a successor may take to appear, in milliseconds. */
const SUCCESSOR_TIMEOUT = 5000;

/** How often it is looked for, in milliseconds. */
const PAUSE = 10;

/** A server on the control socket. */
export class ControlSocket {
  readonly #name: AppearingSocket;
  readonly #server: HttpServer;

  private constructor(name: AppearingSocket, server: HttpServer) {
    this.#name = name;
    this.#server = server;
  }

  /**
   * Serves HTTP on a control socket, which is not found under its name before it
   * {@linkcode appear appears}.
   *
   * @param directory the runtime directory: nobody else may be able to make files in it
   * @param group the numeric id of the group that may use it, if there is one
   * @throws {Failure} when it cannot be made
   */
  static async serve(
    directory: string,
    group: number | null,
    handler: Handler,
  ): Promise<ControlSocket> {
    const name = new AppearingSocket(pathsIn(directory).control);
    try {
      return new ControlSocket(name, new HttpServer(await bind(name.temporary, group), handler));
    } catch (error) {
      throw new Failure(`Failed to make the control socket in ${directory}: ${messageOf(error)}`);
    }
  }

  /** Lets it be found. Only for who has just become the owner of the directory. */
  async appear(): Promise<void> {
    await this.#name.clearRemains();
    await this.#name.appear();
  }

  /** Stops, and removes the socket if it is still the one that was bound. */
  async close(): Promise<void> {
    // Who connected just before a successor got the name is still to be accepted.
    if (!await this.#name.disappear()) await delay(PAUSE);
    await this.#server.close();
  }

  /** Resolves once a successor is found under the same name; or after a while, if none is. */
  async replaced(): Promise<void> {
    const deadline = performance.now() + SUCCESSOR_TIMEOUT;
    while (await this.#name.isThere() && performance.now() < deadline) await delay(PAUSE);
  }

  /** Stops once it is {@linkcode replaced}, so that somebody always answers. */
  async giveWay(): Promise<void> {
    await this.replaced();
    await this.close();
  }
}

async function bind(path: string, group: number | null): Promise<Deno.UnixListener> {
  // The listener unlinks the path it was bound to when it closes: by then that is nobody's.
  const listener = Deno.listen({ transport: "unix", path });
  try {
    // In the directory of a group it is that group's already, and not every owner may give it away.
    const isGiven = group === null || (await Deno.lstat(path)).gid === group;
    if (!isGiven) await Deno.chown(path, null, group);
    await Deno.chmod(path, group === null ? 0o600 : 0o660);
    return listener;
  } catch (error) {
    listener.close();
    throw error;
  }
}
