import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/**
 * Turns a host's name into addresses as the system does, hosts file included, and remembers them
 * until it is told that they may have changed.
 */
export class Resolver {
  #known: Promise<string[]> | null = null;

  /** @param host a name, or an IP address (which needs no looking up) */
  constructor(readonly host: string) {}

  /**
   * All addresses of the host, in the order in which they should be tried.
   *
   * @throws when the name cannot be resolved right now
   */
  addresses(): Promise<string[]> {
    if (isIP(this.host)) return Promise.resolve([this.host]);
    if (this.#known === null) {
      this.#known = lookUp(this.host);
      this.#known.catch(() => this.forget());
    }
    return this.#known;
  }

  /** Looks the name up again the next time. */
  forget(): void {
    this.#known = null;
  }

  /** Notes that this address answered, so that it is tried first from now on. */
  async prefer(address: string): Promise<void> {
    const known = await this.#known;
    if (!known || known[0] === address || !known.includes(address)) return;
    this.#known = Promise.resolve([address, ...known.filter((other) => other !== address)]);
  }
}

async function lookUp(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, verbatim: true });
  // One address may be found once for each type of socket.
  return [...new Set(found.map(({ address }) => address))];
}
