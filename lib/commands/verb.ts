/**
 * What a verb of proxyctl is made of: its part of the command line, and what it does.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { value, wholeNumber } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import { parseSshHost } from "../control/ssh.ts";
import { findProxies, findProxy, type Which } from "./find_proxy.ts";

/** A verb of proxyctl. */
export interface Verb {
  readonly name: string;
  /** What it does, for the help. */
  readonly about: string;
  /** Adds its arguments and options to its command. */
  define(command: Command): void;
  /** Does it. @returns the exit code, if it is not that of success */
  run(command: Command): Promise<number | void>;
}

/** A verb about a proxy, which its own options may name. */
export interface ProxyVerb extends Pick<Verb, "name" | "about" | "define"> {
  /** As {@linkcode Verb.run}. @param proxy the one that is meant */
  run(proxy: ControlClient, command: Command): Promise<number | void>;
}

/** A verb about one proxy or several, which its own options may name. */
export interface ProxiesVerb extends Pick<Verb, "name" | "about" | "define"> {
  /** As {@linkcode Verb.run}. @param proxies those that are meant, at least one */
  run(proxies: readonly ControlClient[], command: Command): Promise<number | void>;
}

/** Makes a verb of one that is about a proxy. */
export function aboutProxy({ name, about, define, run }: ProxyVerb): Verb {
  return {
    name,
    about,
    define: (command) => define(named(command)),
    run: async (command) => await run(await findProxy(whichOf(command)), command),
  };
}

/** Makes a verb of one that is about several proxies as well. */
export function aboutProxies({ name, about, define, run }: ProxiesVerb): Verb {
  return {
    name,
    about,
    define: (command) => define(named(command)),
    run: async (command) => await run(await findProxies(whichOf(command)), command),
  };
}

/** Adds the options that name proxies; they stand before the verb or after it. */
export function named(command: Command): Command {
  return byName(command)
    .option("--all", "all proxies that run in the default directories")
    .addOption(hostOption());
}

/** Adds the options that name proxies one by one. */
export function byName(command: Command): Command {
  return command
    .addOption(several("--runtime-dir <dir>", "the proxy's runtime directory", (text) => text))
    .addOption(several("--port <n>", "the proxy's port", value(wholeNumber(1, 65535))));
}

/** The option that names another machine. */
export function hostOption(): Option {
  const about = "on another machine: ssh://[user@]host[:port]";
  return several("--host <url>", about, value(parseSshHost));
}

/** Which proxies are meant, by what was said before the verb and after it. */
export function whichOf(command: Command): Which {
  const both = [command.parent?.opts<Which>() ?? {}, command.opts<Which>()];
  return {
    runtimeDir: both.flatMap(({ runtimeDir = [] }) => runtimeDir),
    port: both.flatMap(({ port = [] }) => port),
    all: both.some(({ all = false }) => all),
    host: both.flatMap(({ host = [] }) => host),
  };
}

/** An option that can be given several times. */
function several<T>(flags: string, about: string, parse: (text: string) => T): Option {
  return new Option(flags, about)
    .argParser<T[]>((text, before) => [...before ?? [], parse(text)]);
}

/** Adds the option for results that scripts read. */
export function json(command: Command): Command {
  return command.option("--json", "print the result as JSON");
}
