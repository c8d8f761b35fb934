/**
 * Socket addresses as the kernel has them: struct sockaddr_in and struct sockaddr_in6.
 *
 * ```
 *          family  port      address
 *   IPv4   0..1    2..3 BE   4..7                                     16 bytes in all (ip(7))
 *   IPv6   0..1    2..3 BE   8..23, flow label 4..7, scope 24..27     28 bytes in all (ipv6(7))
 * ```
 *
 * @module
 */

import { type Address, unmapped } from "../address.ts";
import { libc } from "./libc.ts";

/** Address families (bits/socket.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** The sizes of the structures, in bytes. */
export const SIZE = { [AF_INET]: 16, [AF_INET6]: 28 } as const;

/** The size of the larger one, in bytes. */
export const LARGEST = SIZE[AF_INET6];

/** Where the parts of the structures are, in bytes. */
export const OFFSET = { family: 0, port: 2, address4: 4, address6: 8, scope6: 24 } as const;

/** The longest text of an address, in bytes, with its final zero (netinet/in.h). */
export const INET6_ADDRSTRLEN = 46;
/** The longest name of a network interface, in bytes, with its final zero (net/if.h). */
export const IF_NAMESIZE = 16;

/**
 * An IP address and a port as the kernel takes them.
 *
 * @throws {RangeError} when the host is no IP address
 */
export function encode({ host, port }: Address): Uint8Array<ArrayBuffer> {
  const [ip = "", scope] = host.split("%");
  const family = ip.includes(":") ? AF_INET6 : AF_INET;
  const bytes = new Uint8Array(SIZE[family]);
  new Uint16Array(bytes.buffer)[OFFSET.family] = family;
  const view = new DataView(bytes.buffer);
  view.setUint16(OFFSET.port, port);
  const address = bytes.subarray(family === AF_INET6 ? OFFSET.address6 : OFFSET.address4);
  if (libc.inet_pton(family, text(ip), address) !== 1) {
    throw new RangeError(`"${host}" is no IP address`);
  }
  if (scope !== undefined) {
    const id = family === AF_INET6 ? scopeId(scope) : 0;
    if (id === 0) throw new RangeError(`"${host}" is no IP address: there is no "${scope}"`);
    view.setUint32(OFFSET.scope6, id, true);
  }
  return bytes;
}

/**
 * The IP address and port that the kernel gave; an IPv4 address on an IPv6 socket is that IPv4
 * address.
 *
 * @returns `null` if there is neither
 */
export function decode(bytes: Uint8Array): Address | null {
  const copy = bytes.slice(0, LARGEST);
  const view = new DataView(copy.buffer);
  const family = new Uint16Array(copy.buffer, 0, 1)[0];
  if (family !== AF_INET && family !== AF_INET6) return null;
  const address = copy.subarray(family === AF_INET6 ? OFFSET.address6 : OFFSET.address4);
  const buffer = new Uint8Array(INET6_ADDRSTRLEN);
  libc.inet_ntop(family, address, buffer, buffer.length);
  let host = unmapped(textIn(buffer));
  const scope = family === AF_INET6 ? view.getUint32(OFFSET.scope6, true) : 0;
  if (scope !== 0) host += `%${interfaceName(scope)}`;
  return { host, port: view.getUint16(OFFSET.port) };
}

/** The port of an address in the kernel's form. */
export function portOf(bytes: Uint8Array): number {
  return (bytes[OFFSET.port] ?? 0) << 8 | (bytes[OFFSET.port + 1] ?? 0);
}

function scopeId(scope: string): number {
  return /^\d+$/.test(scope) ? Number(scope) : libc.if_nametoindex(text(scope));
}

function interfaceName(index: number): string {
  const buffer = new Uint8Array(IF_NAMESIZE);
  return libc.if_indextoname(index, buffer) === null ? `${index}` : textIn(buffer);
}

/** A string of C. */
function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

function textIn(buffer: Uint8Array): string {
  return new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
}
