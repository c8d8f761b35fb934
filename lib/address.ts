/**
 * Where to listen (`[HOST:]PORT`) and where to connect (`HOST:PORT`). IPv6 hosts stand in brackets.
 *
 * @module
 */

import { isIPv6 } from "node:net";

/** A host, by name or number and without brackets, and a TCP port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An address to listen on; without a host it means all addresses, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host: string | null;
  readonly port: number;
}

/**
 * Reads `[HOST:]PORT`. Port 0 lets the system choose.
 *
 * @throws {RangeError} when the text is no such address
 */
export function parseListenAddress(text: string): ListenAddress {
  if (/^\d+$/.test(text)) return { host: null, port: parsePort(text, text, 0) };
  return parseHostAndPort(text, "[HOST:]PORT", 0);
}

/**
 * Reads `HOST:PORT`.
 *
 * @throws {RangeError} when the text is no such address
 */
export function parseAddress(text: string): Address {
  return parseHostAndPort(text, "HOST:PORT", 1);
}

/** Writes an address the way it is read: `8080`, `db.example:5432`, `[::1]:80`. */
export function formatAddress(address: ListenAddress): string {
  if (address.host === null) return `${address.port}`;
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Takes `::ffff:` off an IPv4 address that was met on an IPv6 socket. */
export function unmapped(host: string): string {
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice("::ffff:".length) : host;
}

function parseHostAndPort(text: string, form: string, lowestPort: number): Address {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+)):(\d+)$/.exec(text);
  if (match === null) {
    const hint = text.split(":").length > 2 && !text.startsWith("[")
      ? ", with an IPv6 host in brackets"
      : "";
    throw new RangeError(`"${text}" is no address: expected ${form}${hint}`);
  }
  const [, bracketed, plain, port = ""] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw new RangeError(`"${text}" is no address: "${bracketed}" in the brackets is not IPv6`);
  }
  const host = bracketed ?? plain ?? "";
  // A host becomes part of a directory's name, and of lines in logs.
  if (/[\s/\0]/.test(host) || host.length > 253) {
    throw new RangeError(`"${text}" is no address: "${host}" cannot be the name of a host`);
  }
  return { host, port: parsePort(port, text, lowestPort) };
}

function parsePort(digits: string, text: string, lowest: number): number {
  const port = Number(digits);
  if (port < lowest || port > 65535) {
    throw new RangeError(`"${text}" is no address: a port is ${lowest} to 65535`);
  }
  return port;
}
