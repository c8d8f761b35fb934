import type { Drain } from "../drain/drain.ts";
import type { HandoverSocket } from "../handover/listener.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import { chooseRelay } from "../relay/choose.ts";
import type { EpollRelay } from "../relay/epoll/relay.ts";
import type { Begun } from "./beginning.ts";
import type { Keeper } from "./keeper.ts";
import type { Log } from "./log.ts";
import type { ProxyOptions } from "./options.ts";
import type { Succession } from "./succession.ts";

/** What is made before there is a relay, because it may fail. */
interface Preparations {
  readonly socket: HandoverSocket;
  /** What this process was started with, as it was at the start. */
  readonly command: Promise<OwnCommand>;
  /** Begins to wait for another process. */
  readonly begin: typeof Succession.begin;
}

/** By which another process takes over from this one, where it can: from the epoll relay only. */
export class Handover {
  readonly #preparations: Preparations | null;
  #succession: Succession | null = null;

  private constructor(preparations: Preparations | null) {
    this.#preparations = preparations;
  }

  /**
   * Makes all that is needed so that another process can take over later.
   *
   * @param directory the runtime directory
   * @throws {Failure} when it cannot be made
   */
  static async bind(directory: string, { relay }: ProxyOptions): Promise<Handover> {
    if (chooseRelay(relay).kind !== "epoll") return new Handover(null);
    // Not before: what they are made of can only be loaded where it can run.
    const { ownCommand } = await import("../linux/own_command.ts");
    const { Succession } = await import("./succession.ts");
    const { HandoverSocket } = await import("../handover/listener.ts");
    const socket = await HandoverSocket.bind(directory);
    const command = new Promise<OwnCommand>((resolve) => resolve(ownCommand()));
    // That it cannot be known matters only to who wants an upgrade.
    command.catch(() => {});
    return new Handover({ socket, command, begin: (parts) => Succession.begin(parts) });
  }

  /** What this process was started with; `null` where none can take over. */
  get command(): Promise<OwnCommand> | null {
    return this.#preparations?.command ?? null;
  }

  /** What lets another process take over; `null` until it has begun, and where none can. */
  get succession(): Succession | null {
    return this.#succession;
  }

  /** The keeper, while the proxy is parked. */
  get keeper(): Keeper | null {
    return this.#succession?.keeper ?? null;
  }

  /**
   * Lets another process take over from now on, where the relay can be moved.
   *
   * @param replaced resolves once the successor is found at the control socket
   * @throws {Failure} when it cannot be found
   */
  async begin(
    { relay, directory: { lock }, line }: Begun,
    drain: Drain,
    replaced: () => Promise<void>,
    log: Log,
  ): Promise<void> {
    if (this.#preparations === null) return;
    const { socket, command, begin } = this.#preparations;
    if (relay.kind !== "epoll" || lock === null) return await socket.close();
    const parts = { socket, lock, drain, replaced, log, line, command };
    this.#succession = await begin({ ...parts, relay: relay as EpollRelay });
  }

  /** Gives back what was made, if nothing comes of this proxy. */
  async abandon(): Promise<void> {
    await this.#preparations?.socket.close();
  }
}
