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

/** How soon a server is started again that has ended for want of descriptors, in milliseconds. */
const AGAIN_AFTER = 500;

type Handler = (request: Request) => Promise<Response>;

/** A server and the name of its socket. */
interface Serving {
  readonly name: AppearingSocket;
  readonly server: Deno.HttpServer;
}

/** A server on the control socket. */
export class ControlSocket {
  readonly #serve: () => Promise<Serving>;
  #serving: Serving;
  #isOver = false;

  private constructor(serve: () => Promise<Serving>, serving: Serving) {
    this.#serve = serve;
    this.#serving = serving;
    this.#watch();
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
    const serve = async () => {
      const name = new AppearingSocket(pathsIn(directory).control);
      return { name, server: await makeServer(name.temporary, group, handler) };
    };
    try {
      return new ControlSocket(serve, await serve());
    } catch (error) {
      throw new Failure(`Failed to make the control socket in ${directory}: ${messageOf(error)}`);
    }
  }

  /** Lets it be found. Only for who has just become the owner of the directory. */
  async appear(): Promise<void> {
    const { name } = this.#serving;
    await name.clearRemains();
    await name.appear();
  }

  /** Stops, and removes the socket if it is still the one that was bound. */
  async close(): Promise<void> {
    this.#isOver = true;
    const { name, server } = this.#serving;
    // Who connected just before a successor got the name is still to be accepted.
    if (!await name.disappear()) await delay(PAUSE);
    // Clients that stay connected and say nothing must not hold up the end.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT));
    await Promise.race([server.shutdown(), limit]);
    clearTimeout(timer);
  }

  /**
   * Stops once a successor serves under the same name, so that somebody always answers; or after a
   * while, if none does.
   */
  async giveWay(): Promise<void> {
    const deadline = performance.now() + SUCCESSOR_TIMEOUT;
    while (await this.#serving.name.isThere() && performance.now() < deadline) await delay(PAUSE);
    await this.close();
  }

  /** A server ends when it cannot accept, as long as there are no descriptors. */
  #watch(): void {
    this.#serving.server.finished.catch(() => this.#startAgain());
  }

  async #startAgain(): Promise<void> {
    while (!this.#isOver) {
      await delay(AGAIN_AFTER);
      const serving = await this.#serve().catch(() => null);
      if (serving === null) continue;
      const before = this.#serving.name;
      this.#serving = serving;
      this.#watch();
      if (this.#isOver) await serving.server.shutdown();
      else if (await before.isThere()) await serving.name.appear();
      return;
    }
  }
}

async function makeServer(
  path: string,
  group: number | null,
  handler: Handler,
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
