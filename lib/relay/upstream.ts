/**
 * Where new connections go: a service by its name, and the addresses that this name has.
 *
 * Clients do not wait for a name server that is slow or silent: what was found last is used until
 * something else is found. Only a service that nothing is known of yet is waited for.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { messageOf } from "../message_of.ts";
import { within } from "../within.ts";

/** How long after one look-up has begun another may, in milliseconds. */
const LOOK_UP_INTERVAL = 1000;

/**
 * How long those who want to know what a name means right now wait for that, in milliseconds; then
 * they do with what was found before.
 */
const LOOK_UP_PATIENCE = 250;

/** What an {@linkcode Upstream} is made of. */
export interface UpstreamParts {
  /** Whether this IP address is the proxy's own: whoever connects there only comes here again. */
  readonly isItself?: (address: Address) => boolean;
  /** Is called when {@linkcode Upstream.hosts} may have changed. */
  readonly changed?: () => void;
  /** Looks a name up, as the system does by default. */
  readonly find?: (name: string) => Promise<readonly string[]>;
  /** A clock, in milliseconds. */
  readonly now?: () => number;
}

/** Where new connections go. */
export class Upstream {
  readonly #isItself: (address: Address) => boolean;
  readonly #changed: () => void;
  readonly #find: (name: string) => Promise<readonly string[]>;
  readonly #now: () => number;
  #address: Address;
  /** The numbers of all services so far, by their names. */
  readonly #numbers = new Map<string | null, number>();
  #replaced = new AbortController();
  /** What was found last, in the order in which it should be tried; `null` before there is anything. */
  #found: readonly string[] | null;
  /** Why nothing has been found. */
  #error: string;
  #lookUp: Promise<void> | null = null;
  #lookedUpAt = -Infinity;

  constructor(address: Address, parts: UpstreamParts = {}) {
    this.#isItself = parts.isItself ?? (() => false);
    this.#changed = parts.changed ?? (() => {});
    this.#find = parts.find ?? findHosts;
    this.#now = parts.now ?? (() => performance.now());
    this.#address = address;
    [this.#found, this.#error] = unknown(address);
    this.refresh();
  }

  /** As the command line has it. */
  get address(): Address {
    return this.#address;
  }

  /** Sends connections elsewhere. */
  set address(address: Address) {
    const isSameHost = address.host === this.#address.host;
    this.#address = address;
    this.#replaced.abort();
    this.#replaced = new AbortController();
    if (!isSameHost) {
      [this.#found, this.#error] = unknown(address);
      this.#lookUp = null;
      this.#lookedUpAt = -Infinity;
    }
    this.#changed();
    this.refresh();
  }

  /** {@linkcode address} as text. */
  get name(): string {
    return formatAddress(this.#address);
  }

  /** Its number: another number is another service. */
  get number(): number {
    return this.numberOf(this.name);
  }

  /** The number of a service, by its name as {@linkcode name}; `null` is one of its own. */
  numberOf(name: string | null): number {
    const number = this.#numbers.get(name) ?? this.#numbers.size;
    this.#numbers.set(name, number);
    return number;
  }

  /** The name of the service with a number; `null` if there is none. */
  nameOf(number: number): string | null {
    for (const [name, one] of this.#numbers) if (one === number) return name;
    return null;
  }

  /** Aborted when connections go elsewhere. */
  get replaced(): AbortSignal {
    return this.#replaced.signal;
  }

  /** The IP addresses to try, in this order; `null` while they are not known yet. */
  get hosts(): readonly string[] | null {
    const { port } = this.#address;
    return this.#found?.filter((host) => !this.#isItself({ host, port })) ?? null;
  }

  /** Why there are no {@linkcode hosts}. */
  get error(): string {
    if (this.#found === null || this.#found.length === 0) return this.#error;
    return `${this.name} is this proxy itself`;
  }

  /**
   * Looks the name up again; for those who found nobody there. One look-up at a time, and at most
   * one a second, however many they are.
   */
  refresh(): void {
    const isTooSoon = this.#now() - this.#lookedUpAt < LOOK_UP_INTERVAL;
    if (this.#lookUp === null && !isTooSoon) this.#startLookUp();
  }

  /**
   * Looks the name up now, for what begins now: the service may have moved. Resolves when that is
   * done, or after a moment if there is something to go on with.
   */
  async settle(): Promise<void> {
    if (isNumber(this.#address)) return this.refresh();
    if (this.#found === null) return;
    await within(this.#lookUp ?? this.#startLookUp(), LOOK_UP_PATIENCE);
  }

  /**
   * As {@linkcode hosts}, once they are known.
   *
   * @throws when there are none
   */
  async known(): Promise<readonly string[]> {
    while (this.#found === null) await this.#lookUp;
    const { hosts } = this;
    if (hosts === null || hosts.length === 0) throw new Error(this.error);
    return hosts;
  }

  /** Notes that this host answered, so that it is tried first from now on. */
  prefer(host: string): void {
    if (!this.#found?.includes(host)) return;
    this.#found = [host, ...this.#found.filter((other) => other !== host)];
  }

  #startLookUp(): Promise<void> {
    const { host } = this.#address;
    this.#lookedUpAt = this.#now();
    const lookUp: Promise<void> = this.#find(host).then(
      (hosts) => this.#done(lookUp, hosts, `no address for ${host}`),
      (error) => this.#done(lookUp, [], messageOf(error)),
    );
    this.#lookUp = lookUp;
    return lookUp;
  }

  #done(lookUp: Promise<void>, hosts: readonly string[], error: string): void {
    // Of a name that is no longer asked for.
    if (this.#lookUp !== lookUp) return;
    this.#lookUp = null;
    this.#error = error;
    // What was found before is better than nothing.
    if (hosts.length > 0 || this.#found === null) this.#found = hosts;
    this.#changed();
  }
}

/** All IP addresses of a host, in the order of the system, hosts file included. */
export async function findHosts(host: string): Promise<readonly string[]> {
  if (isIP(host)) return [host];
  const found = await lookup(host, { all: true, verbatim: true });
  // One address may be found once for each type of socket.
  return [...new Set(found.map(({ address }) => address))];
}

/** What is known of a host before it is looked up. */
function unknown(address: Address): [readonly string[] | null, string] {
  return [isNumber(address) ? [address.host] : null, `${address.host} is still being looked up`];
}

function isNumber({ host }: Address): boolean {
  return isIP(host) !== 0;
}
