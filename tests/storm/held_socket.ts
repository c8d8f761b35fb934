import { formatAddress } from "../../lib/address.ts";
import { checked } from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";
import { F_GETFL, F_SETFL, listen, localAddress, O_NONBLOCK } from "../../lib/linux/socket.ts";
import { passing } from "../support/passing.ts";

/** How many clients may queue at it. */
const BACKLOG = 4096;

/**
 * A listening socket that is held here, and passed on to one process after another, as a service
 * manager does.
 */
export class HeldSocket implements Disposable {
  readonly #descriptor = listen({ host: "127.0.0.1", port: 0 }, false, BACKLOG);

  /** Where it listens, `HOST:PORT`. */
  get address(): string {
    return formatAddress(localAddress(this.#descriptor));
  }

  /** The command that passes it on to a program. */
  passedTo(command: readonly string[]): string[] {
    return [...passing([this.#descriptor]), ...command];
  }

  /** Makes it one that is waited for, as systemd does each time before it passes a socket on. */
  block(): void {
    const flags = checked("fcntl", libc.fcntl(this.#descriptor, F_GETFL, 0));
    checked("fcntl", libc.fcntl(this.#descriptor, F_SETFL, flags & ~O_NONBLOCK));
  }

  [Symbol.dispose](): void {
    libc.close(this.#descriptor);
  }
}
