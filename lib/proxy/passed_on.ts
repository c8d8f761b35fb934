/**
 * Sockets that a service manager passed on: which of them are served.
 *
 * @module
 */

import { type Address, formatAddress } from "../address.ts";
import { Failure } from "../failure.ts";
import type { PassedOn } from "../relay/relay.ts";
import { type InheritedSocket, listInheritedSockets } from "../socket_activation.ts";

/** All that listen on one port are served: IPv4 and IPv6 may be two sockets. */
export class PassedOnSockets implements PassedOn {
  readonly #sockets: readonly InheritedSocket[];
  readonly #wantedPort: number;
  #port: number;
  readonly #others: string[] = [];

  /** @param port that the command line names; 0 is whichever the first of them has */
  constructor(port: number, sockets = listInheritedSockets()) {
    this.#sockets = sockets;
    this.#wantedPort = this.#port = port;
  }

  /** Whether there are any. */
  get isThere(): boolean {
    return this.#sockets.length > 0;
  }

  get descriptors(): number[] {
    return this.#sockets.map(({ descriptor }) => descriptor);
  }

  /** What was said of those that are not served, one after the other; empty if all are. */
  get others(): string {
    return this.#others.join("; ");
  }

  readonly isWanted = (descriptor: number, at: Address | Error): boolean => {
    const { name = null } = this.#sockets.find((one) => one.descriptor === descriptor) ?? {};
    const what = `descriptor ${descriptor}${name === null ? "" : ` (${name})`}`;
    if (at instanceof Error) {
      this.#others.push(`${what} cannot be used: ${at.message}`);
      return false;
    }
    if (this.#port === 0) this.#port = at.port;
    const isWanted = at.port === this.#port;
    if (!isWanted) this.#others.push(`${what} listens on ${formatAddress(at)}`);
    return isWanted;
  };

  /** That none of them is of use. */
  get failure(): Failure {
    const which = this.#wantedPort === 0
      ? ""
      : ` on port ${this.#wantedPort}, which the command line names`;
    return new Failure(
      `The service manager passed on no TCP socket that listens${which}: ${this.others}`,
    );
  }
}
