/**
 * Where to listen (`[HOST:]PORT`) and where to connect (`HOST:PORT`). IPv6 hosts stand in brackets.
 *
 * @module
 */

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
 * Reads `[HOST:]PORT`, where `*` stands for no host as well. Port 0 lets the system choose.
 *
 * @throws {RangeError} when the text is no such address
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, everywhere] = /^(?:\*:)?(\d+)$/.exec(text) ?? [];
  if (everywhere !== undefined) return { host: null, port: parsePort(everywhere, text, 0) };
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
  // No other host has one.
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Takes `::ffff:` off an IPv4 address that was met on an IPv6 socket. */
export function unmapped(host: string): string {
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice("::ffff:".length) : host;
}

function parseHostAndPort(text: string, form: string, lowestPort: number): Address {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]+)):(\d+)$/.exec(text);
  if (match === null) {
    const [, only] = /^:?(\d+)$/.exec(text) ?? [];
    if (only !== undefined) {
      const instead = lowestPort === 0 ? `${only} for all addresses, or ` : "";
      throw new RangeError(`"${text}" has no host: write ${instead}127.0.0.1:${only}`);
    }
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
  if (host === "*") throw new RangeError(`"${text}" has no host: "*" is all of them, not one`);
  // A host becomes part of a directory's name, and of lines in logs.
  // Only an IPv6 address in brackets may name an interface.
  if (/[\s/\0]/.test(host) || plain?.includes("%") || host.length > 253) {
    throw new RangeError(`"${text}" is no address: "${host}" cannot be the name of a host`);
  }
  return { host, port: parsePort(port, text, lowestPort) };
}

/** Whether this is an IPv6 address, with or without its scope: as `node:net` sees it, which takes long to load. */
function isIPv6(text: string): boolean {
  const [, ip] = /^([\da-fA-F:.]+)(?:%[\da-zA-Z.:-]+)?$/.exec(text) ?? [];
  return ip !== undefined && URL.canParse(`http://[${ip}]`);
}

function parsePort(digits: string, text: string, lowest: number): number {
  const port = Number(digits);
  if (port < lowest || port > 65535) {
    throw new RangeError(`"${text}" is no address: a port is ${lowest} to 65535`);
  }
  return port;
}
