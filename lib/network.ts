/**
 * Networks: which addresses they have.
 *
 * @module
 */

import { parseAddress } from "./address.ts";
import { bytesOfIp } from "./ip.ts";

/** A network: the addresses that begin with the first so many bits of this one. */
export interface Network {
  /** 4 bytes, or 16. */
  readonly ip: Uint8Array<ArrayBuffer>;
  readonly bits: number;
}

/**
 * Reads a network, as `10.0.0.0/8` or `2001:db8::/32`, or a single address.
 *
 * @throws {RangeError} when the text is none
 */
export function parseNetwork(text: string): Network {
  const [, host = "", digits] = /^\[?([^/\]%]*)\]?(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const ip = bytesOfIp(host);
  const most = host.includes(":") ? 128 : 32;
  // Of an IPv4 address that is written as an IPv6 one the rest counts.
  const surplus = ip === null ? 0 : most - 8 * ip.length;
  const bits = (digits === undefined ? most : Number(digits)) - surplus;
  if (ip === null || bits < 0 || bits > 8 * ip.length) {
    throw new RangeError(`"${text}" is no network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32`);
  }
  return { ip, bits };
}

/** Whether a host, as an IP address, is of a network; an IPv4 address is of none of IPv6. */
export function isOfNetwork({ ip, bits }: Network, host: string): boolean {
  const bytes = bytesOfIp(host);
  if (bytes === null || bytes.length !== ip.length) return false;
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = 0xff00 >> Math.min(8, bits - bit) & 0xff;
    const different = (bytes[bit >> 3] as number) ^ (ip[bit >> 3] as number);
    if ((different & mask) !== 0) return false;
  }
  return true;
}

/** The host of an address `HOST:PORT`; all of it, if it is none. */
export function hostOf(address: string): string {
  try {
    return parseAddress(address).host;
  } catch {
    return address;
  }
}
