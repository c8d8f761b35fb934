/**
 * The page and the metrics of all proxies, served over HTTP.
 *
 * @module
 */

import { type Address, formatAddress, type ListenAddress } from "../address.ts";
import { codeOf } from "../code_of.ts";
import { HttpServer } from "../control/http/server.ts";
import { Failure } from "../failure.ts";
import { listenAdvice } from "../listen_advice.ts";
import { messageOf } from "../message_of.ts";
import { allowedHosts } from "./hosts.ts";
import { readPassword } from "./password.ts";
import { type Places, Proxies } from "./proxies.ts";
import { ALWAYS, siteHandler } from "./site.ts";
import { isOwn } from "./watched.ts";

/** What is served, and to whom. */
export interface ServeOptions extends Pick<Places, "named" | "find" | "tell"> {
  readonly listen: ListenAddress;
  /** A file with `USER:PASSWORD`; `null` if none is needed. */
  readonly passwordFile: string | null;
  /** Names of this host, besides addresses and `localhost`. */
  readonly allowedHosts: readonly string[];
}

/** What is served. */
export interface Served {
  /** Where, with the real port. */
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Begins to serve.
 *
 * @throws {Failure} when it cannot listen there, or something must not be shown without a password
 */
export async function serve(options: ServeOptions): Promise<Served> {
  const { listen, passwordFile, named, find, tell } = options;
  const isAuthorized = passwordFile === null ? null : await readPassword(passwordFile);
  for (const directory of named ?? []) {
    if (isAuthorized !== null || await isOwn(directory)) continue;
    throw new Failure(
      `The proxy at ${directory} is another user's, and every local user could see its clients: ` +
        "give --password-file as well",
    );
  }
  const proxies = new Proxies({ named, find, ofOthers: isAuthorized !== null, tell });
  const names = listen.host === null ? [] : [listen.host];
  const isHost = allowedHosts([...names, ...options.allowedHosts]);
  const listener = open(listen);
  const handler = siteHandler({ proxies, isHost, isAuthorized, tell });
  const server = new HttpServer(listener, handler, ALWAYS);
  const { hostname: host, port } = listener.addr;
  return { address: { host, port }, close: () => server.close() };
}

function open(listen: ListenAddress): Deno.TcpListener {
  const { host, port } = listen;
  try {
    return Deno.listen({ hostname: host ?? "::", port });
  } catch (error) {
    // Nothing else on a machine without IPv6.
    if (host === null && !(error instanceof Deno.errors.AddrInUse)) {
      return open({ host: "0.0.0.0", port });
    }
    const advice = listenAdvice(codeOf(error), port, "--listen");
    throw new Failure(`Failed to listen on ${formatAddress(listen)}: ${messageOf(error)}${advice}`);
  }
}
