/**
 * The PROXY protocol: one header before a connection's data, in which whoever stands before says for
 * whom it connects (proxy-protocol.txt of HAProxy, version 1 and 2). It does no I/O.
 *
 * ```
 * v1   PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\n                   at most 107 bytes
 * v2   signature   version, command   family   length BE   addresses and the rest
 *      0..11       12                 13       14..15      16..           16 bytes and the length
 * ```
 *
 * @module
 */

import type { Address } from "../address.ts";
import { bytesOfIp, mapped, textOfIp } from "../ip.ts";

/** The versions of the header. */
export const PROXY_VERSIONS = ["v1", "v2"] as const;
export type ProxyVersion = typeof PROXY_VERSIONS[number];

/** Between whom a connection is: the client, and the address that it connected to. */
export interface Endpoints {
  readonly source: Address;
  readonly destination: Address;
}

/** A header that is whole. */
export interface ProxyHeader {
  /** How many bytes it has: what is behind them is data. */
  readonly length: number;
  /** `null` where it says nothing of that: then the connection is what it looks like. */
  readonly endpoints: Endpoints | null;
}

/** How long a header may be, in bytes: the specification bounds those of version 2 at 65,551. */
export const LONGEST_HEADER = 16 << 10;

/** The longest of version 1, in bytes, with its line's end (section 2.1). */
const LONGEST_LINE = 107;
const LINE = ascii("PROXY ");
const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
/** Where version and command, family and length are, and where the addresses begin (section 2.2). */
const COMMAND = 12;
const FAMILY = 13;
const LENGTH = 14;
const ADDRESSES = 16;
/** Version 2, and its commands. */
const LOCAL = 0x20;
const PROXY = 0x21;
/** Families with TCP, and none at all; and how many bytes their addresses have. */
const TCP4 = 0x11;
const TCP6 = 0x21;
const UNSPECIFIED = 0;
const IP_SIZES: Readonly<Record<number, number>> = { [TCP4]: 4, [TCP6]: 16 };

/**
 * Reads the header that a connection begins with.
 *
 * @param bytes what has come so far; what is behind the header is not looked at
 * @returns the header; `null` while it is not whole; or, as a text, what is wrong with it
 */
export function decodeHeader(bytes: Uint8Array): ProxyHeader | string | null {
  if (bytes.length === 0) return null;
  if (bytes[0] === LINE[0]) return startsLike(bytes, LINE) ? decodeLine(bytes) : NO_HEADER;
  return startsLike(bytes, SIGNATURE) ? decodeBinary(bytes) : NO_HEADER;
}

/** Writes a header. @param endpoints `null`, or hosts that are no IP addresses: it says so */
export function encodeHeader(
  version: ProxyVersion,
  endpoints: Endpoints | null,
): Uint8Array<ArrayBuffer> {
  const parts = endpoints === null ? null : partsOf(endpoints);
  return version === "v1" ? encodeLine(parts) : encodeBinary(parts);
}

const NO_HEADER = "it begins with something else";

/** Both addresses, of the same family. */
interface Parts {
  readonly ips: readonly [Uint8Array, Uint8Array];
  readonly ports: readonly [number, number];
}

function partsOf({ source, destination }: Endpoints): Parts | null {
  const [from, to] = [bytesOfIp(source.host), bytesOfIp(destination.host)];
  if (from === null || to === null) return null;
  const ports = [source.port, destination.port] as const;
  const ips = from.length === to.length ? [from, to] as const : [mapped(from), mapped(to)] as const;
  return { ips, ports };
}

function encodeLine(parts: Parts | null): Uint8Array<ArrayBuffer> {
  if (parts === null) return ascii("PROXY UNKNOWN\r\n");
  const { ips: [from, to], ports } = parts;
  const isIPv4 = from.length === 4;
  // Where one of both is IPv6, the other is written as if it were.
  const text = (ip: Uint8Array) => {
    const short = textOfIp(ip);
    return isIPv4 || short.includes(":") ? short : `::ffff:${short}`;
  };
  const words = ["PROXY", isIPv4 ? "TCP4" : "TCP6", text(from), text(to), ...ports];
  return ascii(`${words.join(" ")}\r\n`);
}

function encodeBinary(parts: Parts | null): Uint8Array<ArrayBuffer> {
  const size = parts === null ? 0 : parts.ips[0].length;
  const length = size === 0 ? 0 : 2 * size + 4;
  const bytes = new Uint8Array(ADDRESSES + length);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE);
  bytes[COMMAND] = PROXY;
  bytes[FAMILY] = size === 4 ? TCP4 : size === 16 ? TCP6 : UNSPECIFIED;
  view.setUint16(LENGTH, length);
  for (const [index, ip] of parts?.ips.entries() ?? []) {
    bytes.set(ip, ADDRESSES + index * size);
    view.setUint16(ADDRESSES + 2 * size + 2 * index, parts?.ports[index] as number);
  }
  return bytes;
}

function decodeLine(bytes: Uint8Array): ProxyHeader | string | null {
  const most = bytes.subarray(0, LONGEST_LINE);
  const end = most.findIndex((byte, index) => byte === 13 && most[index + 1] === 10);
  if (end === -1) {
    return most.length < LONGEST_LINE ? null : `its line does not end within ${LONGEST_LINE} bytes`;
  }
  const length = end + 2;
  const [, family, ...words] = String.fromCharCode(...most.subarray(0, end)).split(" ");
  if (family === "UNKNOWN") return { length, endpoints: null };
  const [from = "", to = "", fromPort = "", toPort = ""] = words;
  const source = endpointOf(family, from, fromPort);
  const destination = endpointOf(family, to, toPort);
  if (words.length !== 4 || source === null || destination === null) {
    return "its line is not made of a family, two addresses and two ports";
  }
  return { length, endpoints: { source, destination } };
}

function endpointOf(family: string | undefined, ip: string, port: string): Address | null {
  const isFamily = family === "TCP6" ? ip.includes(":") : family === "TCP4" && !ip.includes(":");
  const bytes = isFamily && !ip.includes("%") ? bytesOfIp(ip) : null;
  const isPort = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) < 65536;
  return bytes === null || !isPort ? null : { host: textOfIp(bytes), port: Number(port) };
}

function decodeBinary(bytes: Uint8Array): ProxyHeader | string | null {
  const command = bytes[COMMAND] ?? PROXY;
  if (command !== PROXY && command !== LOCAL) return "its version or command is not known";
  if (bytes.length < ADDRESSES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = ADDRESSES + view.getUint16(LENGTH);
  if (length > LONGEST_HEADER) return `it is longer than ${LONGEST_HEADER} bytes`;
  const size = command === LOCAL ? undefined : IP_SIZES[bytes[FAMILY] as number];
  if (size !== undefined && length < ADDRESSES + 2 * size + 4) {
    return "it is too short for its addresses";
  }
  if (bytes.length < length) return null;
  if (size === undefined) return { length, endpoints: null };
  const [source, destination] = [0, 1].map((index) => {
    const start = ADDRESSES + index * size;
    const host = textOfIp(bytes.subarray(start, start + size));
    return { host, port: view.getUint16(ADDRESSES + 2 * size + 2 * index) };
  }) as [Address, Address];
  return { length, endpoints: { source, destination } };
}

/** Whether what has come so far may become what it is to start with. */
function startsLike(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, index) => (bytes[index] ?? byte) === byte);
}

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
