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

import type { Address } from "../address.ts";
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
 * @throws {RangeError} when the host is no IP address, or of a network interface that is not there
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
    if (id === 0) throw new RangeError(`there is no network interface "${scope}"`);
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
  const family = (bytes[OFFSET.family] ?? 0) | (bytes[OFFSET.family + 1] ?? 0) << 8;
  if (family !== AF_INET && family !== AF_INET6) return null;
  // The C library is not needed for most, and it takes ten times as long.
  const start = startOfIPv4(bytes, family);
  const host = start === null ? hostOfIPv6(bytes) : bytes.subarray(start, start + 4).join(".");
  return { host, port: portOf(bytes) };
}

/** Where an IPv4 address is; `null` if it is none. */
function startOfIPv4(bytes: Uint8Array, family: number): number | null {
  if (family === AF_INET) return OFFSET.address4;
  const { address6: start } = OFFSET;
  for (let index = 0; index < 10; index++) if (bytes[start + index] !== 0) return null;
  return bytes[start + 10] === 0xff && bytes[start + 11] === 0xff ? start + 12 : null;
}

function hostOfIPv6(bytes: Uint8Array): string {
  // What is in shared memory cannot be passed on.
  const copy = new Uint8Array(LARGEST);
  copy.set(bytes.subarray(0, LARGEST));
  const buffer = new Uint8Array(INET6_ADDRSTRLEN);
  libc.inet_ntop(AF_INET6, copy.subarray(OFFSET.address6), buffer, buffer.length);
  const scope = new DataView(copy.buffer).getUint32(OFFSET.scope6, true);
  return scope === 0 ? textIn(buffer) : `${textIn(buffer)}%${interfaceName(scope)}`;
}

/** The port of an address in the kernel's form. */
export function portOf(bytes: Uint8Array): number {
  return (bytes[OFFSET.port] ?? 0) << 8 | (bytes[OFFSET.port + 1] ?? 0);
}

/** The number of a network interface, by its name or that number; 0 if there is none. */
function scopeId(scope: string): number {
  if (!/^\d+$/.test(scope)) return libc.if_nametoindex(text(scope));
  const buffer = new Uint8Array(IF_NAMESIZE);
  return libc.if_indextoname(Number(scope), buffer) === null ? 0 : Number(scope);
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
