import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { formatAddress, type ListenAddress, parseListenAddress } from "../address.ts";
import { usageError, value } from "../command_line.ts";
import { defaultDirectories } from "../runtime_directory/paths.ts";
import { hearSignals } from "../signals.ts";
import { findProxies, hostsOf, type Which } from "./find_proxy.ts";
import { tell } from "./output.ts";
import { byName, type Verb, whichOf } from "./verb.ts";

/** Where it listens, if nobody says otherwise: as HAProxy's page of statistics does. */
const LISTEN = "127.0.0.1:8404";

interface ServeCommandOptions {
  readonly listen: ListenAddress;
  readonly passwordFile?: string;
  readonly allowHost?: readonly string[];
}

/** `proxyctl serve` */
export const serveVerb: Verb = {
  name: "serve",
  about: "serve a page and the metrics of all proxies, over HTTP",
  define: (command) =>
    byName(command)
      .addOption(
        new Option(
          "--listen <listen>",
          "where to listen; besides this machine only with a password",
        )
          .argParser(value(parseListenAddress))
          .default(parseListenAddress(LISTEN), LISTEN),
      )
      .option("--password-file <file>", "ask for this USER:PASSWORD; the file must have mode 0600")
      .option("--allow-host <name>", "a name that browsers know this machine by", allowed),
  run: (command) => serve(whichOf(command), command),
};

/** One more host. */
function allowed(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

async function serve(which: Which, command: Command): Promise<void> {
  const { listen, passwordFile, allowHost = [] } = command.opts<ServeCommandOptions>();
  if (hostsOf(which).length > 0) {
    throw usageError("--host or $PROXYCTL_HOST names another machine: run proxyctl serve there");
  }
  // Not before: hardly anybody asks for it.
  const { isLoopback } = await import("../serve/hosts.ts");
  if (!isLoopback(listen.host) && passwordFile === undefined) {
    throw usageError(
      `Others than this machine can reach ${formatAddress(listen)}: give --password-file as well`,
    );
  }
  const { serve } = await import("../serve/serve.ts");
  const { address } = await serve({
    listen,
    passwordFile: passwordFile === undefined ? null : resolve(passwordFile),
    allowedHosts: allowHost,
    named: await namedBy(which),
    find,
    tell: (message) => tell(`proxyctl: ${message}`),
  });
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  await hearSignals((signal) => {
    if (signal !== "SIGUSR1" && signal !== "SIGUSR2") end();
  });
  tell(`proxyctl: Serving http://${formatAddress(address)}/`);
  await over;
}

/** The directories of those that are named; `null` if none is. */
async function namedBy(which: Which): Promise<string[] | null> {
  const isNamed = [which.runtimeDir, which.port].some((names = []) => names.length > 0) ||
    Deno.env.get("PROXYCTL_RUNTIME_DIR");
  if (!isNamed || which.all) return null;
  return (await findProxies(which)).map(({ directory }) => directory);
}

async function find(): Promise<string[]> {
  const { own, roots } = await defaultDirectories();
  return [...own, ...roots];
}
