import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/**
 * Turns a host's name into addresses as the system does, hosts file included, and remembers them
 * until it is told that they may have changed.
 */
export class Resolver {
  #known: Promise<string[]> | null = null;
  #preferred: string | null = null;

  /** @param host a name, or an IP address (which needs no looking up) */
  constructor(readonly host: string) {}

  /**
   * All addresses of the host, in the order in which they should be tried.
   *
   * @throws when the name cannot be resolved right now
   */
  async addresses(): Promise<string[]> {
    if (isIP(this.host)) return [this.host];
    this.#known ??= lookUp(this.host);
    try {
      const known = await this.#known;
      const first = known.filter((address) => address === this.#preferred);
      return [...first, ...known.filter((address) => address !== this.#preferred)];
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** Looks the name up again the next time. */
  forget(): void {
    this.#known = null;
  }

  /** Notes that this address answered, so that it is tried first from now on. */
  prefer(address: string): void {
    this.#preferred = address;
  }
}

async function lookUp(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, verbatim: true });
  // One address may be found once for each type of socket.
  return [...new Set(found.map(({ address }) => address))];
}
