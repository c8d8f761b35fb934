import { isIP } from "node:net";

/**
 * Which hosts a request may be meant for, so that no page of another site, whose name was made to mean
 * this machine, can read what is served here (DNS rebinding). Nobody can have a name rebound that is an
 * address.
 *
 * @param names besides addresses and `localhost`
 */
export function allowedHosts(names: readonly string[]): (host: string | undefined) => boolean {
  const allowed = new Set(["localhost", ...names.map((name) => name.toLowerCase())]);
  return (host = "") => {
    const [, bracketed, plain = ""] =
      /^(?:\[([^\]]+)\]|([^:[\]/@\s,]+))(?::\d{1,5})?$/.exec(host) ??
        [];
    if (bracketed !== undefined) return isIP(bracketed) === 6;
    return isIP(plain) === 4 || allowed.has(plain.toLowerCase().replace(/\.$/, ""));
  };
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string | null): boolean {
  return host === "localhost" || host === "::1" ||
    (host !== null && /^127(?:\.\d+){3}$/.test(host));
}
