/**
 * `proxyctl completions`: scripts for shells, made from the command line's own description. They ask
 * `proxyctl completions ports` and `ids` for what runs.
 *
 * @module
 */

import { basename } from "node:path";
import type { ConnectionView } from "../control/api.ts";
import { runningIn } from "../control/running_in.ts";
import { Failure } from "../failure.ts";
import { defaultDirectories } from "../runtime_directory/paths.ts";
import { findProxy, LOOK_PATIENCE } from "./find_proxy.ts";
import { print } from "./output.ts";
import { bash } from "./shells/bash.ts";
import { describeProgram } from "./shells/described.ts";
import { fish } from "./shells/fish.ts";
import { zsh } from "./shells/zsh.ts";
import { value } from "../command_line.ts";
import type { Verb } from "./verb.ts";

const SHELLS = { bash, zsh, fish };

/** What the scripts ask for: a line each, a word, and what it is. */
const ASKED = ["ports", "ids"];

/** `proxyctl completions` */
export const completionsVerb: Verb = {
  name: "completions",
  about: "print a completion script for a shell",
  define(command) {
    const shells = Object.keys(SHELLS);
    command.addArgument(
      command.createArgument("<shell>").choices(shells).argParser(value((text) => {
        if ([...shells, ...ASKED].includes(text)) return text;
        throw new RangeError(`"${text}" is none of ${shells.join(", ")}`);
      })),
    );
  },
  async run(command) {
    const [what] = command.processedArgs as [keyof typeof SHELLS | "ports" | "ids"];
    if (what === "ports") return print(await ports());
    if (what === "ids") {
      const proxy = await findProxy(command.optsWithGlobals());
      const { connections } = await proxy.json<{ connections: ConnectionView[] }>(
        "GET",
        "/v1/connections",
      );
      return print(connections.map(({ id, peer }) => `${id} ${peer}`).join("\n"));
    }
    print(SHELLS[what](describeProgram(command.parent ?? command)));
  },
};

/** The ports by which proxies that run can be named. */
async function ports(): Promise<string> {
  const { own, roots } = await defaultDirectories();
  const running = await runningIn([...own, ...roots], LOOK_PATIENCE);
  return running.map(({ directory, status }) => {
    const about = status instanceof Failure
      ? "does not answer"
      : `${status.state}, to ${status.upstream}`;
    return `${basename(directory).split(":").at(-1)} ${about}`;
  }).join("\n");
}
