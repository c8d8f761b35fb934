/**
 * Why something cannot be the upstream, whether or not it answers.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { type Address, formatAddress, unmapped } from "../address.ts";
import { within } from "../within.ts";
import { findHosts } from "./upstream.ts";

/** How long it may take to find out what a name means, in milliseconds. */
const LOOK_UP_PATIENCE = 1000;

/** Says why an upstream cannot be used. */
export function cannotBeUsed(upstream: Address, why: string): string {
  return `The upstream ${formatAddress(upstream)} cannot be used: ${why}`;
}

/** Why an address of one network interface cannot be used: there is none of that name. */
export function whyNoInterface(upstream: Address): string | null {
  const [, name] = upstream.host.split("%");
  const names = Object.keys(interfaces());
  const isThere = name === undefined || /^\d+$/.test(name) || names.includes(name);
  // A sandbox may hide them all.
  if (isThere || names.length === 0) return null;
  return cannotBeUsed(upstream, `there is no network interface "${name}"`);
}

/** A socket that listens. */
export interface Listening extends Address {
  /** Whether `::` means all IPv4 addresses as well. */
  readonly bothFamilies: boolean;
}

/** What machines do with addresses that stand for themselves (ip(7), ipv6(7)). */
const LOOPBACK: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Why a service cannot be the upstream of a proxy that listens there: it is the proxy itself, and
 * each client would become connections without end. `null` if it is not, or its name is not found
 * soon.
 */
export async function whyItself(
  address: Address,
  listening: readonly Listening[],
): Promise<string | null> {
  const { host, port } = address;
  if (!listening.some((one) => one.port === port)) return null;
  const hosts = await within(findHosts(host).catch(() => []), LOOK_UP_PATIENCE, () => []);
  const itself = listening.find((one) => hosts.some((host) => isItself({ host, port }, one)));
  if (itself === undefined) return null;
  return cannotBeUsed(
    address,
    `that is the proxy itself, which listens on ${formatAddress(itself)}`,
  );
}

/**
 * Whether who connects to an IP address comes to a socket that listens.
 *
 * @param isLocal whether an IP address is this machine's
 */
export function isItself(
  { host, port }: Address,
  listening: Listening,
  isLocal: (host: string) => boolean = isOfThisMachine,
): boolean {
  if (port !== listening.port) return false;
  const [there, here] = [canonical(host), canonical(listening.host)];
  if (!Object.hasOwn(LOOPBACK, here)) return (LOOPBACK[there] ?? there) === here;
  if (isIPv4(there) ? here === "::" && !listening.bothFamilies : here === "0.0.0.0") return false;
  return isLocal(there);
}

function isOfThisMachine(host: string): boolean {
  if (host in LOOPBACK || host === "::1" || host.startsWith("127.")) return true;
  const addresses = Object.values(interfaces()).flatMap((some) => some ?? []);
  return addresses.some(({ address }) => canonical(address) === host);
}

/** The network interfaces of this machine; none if a sandbox hides them. */
function interfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** The one way to write an IP address: without a scope, and not as IPv6 if it means IPv4. */
function canonical(host: string): string {
  const [ip = ""] = host.split("%");
  if (!isIPv6(ip)) return ip;
  const short = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return unmapped(short);
  const number = parseInt(high, 16) * 0x10000 + parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => number >>> shift & 0xff).join(".");
}
