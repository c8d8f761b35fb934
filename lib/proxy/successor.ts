/**
 * The process that an upgrade starts.
 *
 * @module
 */

import { ApiError } from "../control/errors.ts";
import { libc } from "../linux/libc.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { killProcess, openProcess } from "../linux/process.ts";
import { messageOf } from "../message_of.ts";
import { endedChildren } from "../reaper/ended_children.ts";
import { FAILURE_FILE, PREDECESSOR } from "./predecessor.ts";

/** A process that is to take over. Once it is disposed of it goes on, and is no longer looked after. */
export interface Successor extends Disposable {
  readonly pid: number;
  /** Resolves when it has ended, to how: `it ended with exit code 1`. */
  readonly ended: Promise<{ readonly how: string }>;
  /** Kills it, if it has not ended. */
  kill(): void;
}

/**
 * Starts a successor: this program, with its command line, in the root directory.
 *
 * systemd waits for the end of a main process only if that is its own child when it says that it is
 * the main process, and kills any other one at once when the unit stops. So where there is a service
 * manager to be told, the successor is nobody's child, which makes it that of the first process.
 *
 * @param command what this process was started with
 * @param failureFile in which it says why it failed
 * @throws {ApiError} when it cannot be started
 */
export async function launch(
  command: OwnCommand,
  failureFile: string,
): Promise<Successor> {
  const { path, args } = command;
  const options = {
    env: { [FAILURE_FILE]: failureFile, [PREDECESSOR]: `${Deno.pid}` },
    stdin: "null",
    // The log goes on in the same place.
    stderr: "inherit",
    // It is to outlive this process, and whatever ends its session.
    detached: true,
  } as const;
  try {
    // The directory that this process was started in may be gone, and Deno 2.6 starts nothing there.
    Deno.chdir("/");
    if (!Deno.env.get("NOTIFY_SOCKET")) {
      return child(new Deno.Command(path, { ...options, args: [...args], stdout: "inherit" }));
    }
    // The shell would only say in the log that there is no such file.
    await Deno.stat(path);
    const orphaned = ['"$0" "$@" >&2 & echo $!', path, ...args];
    const shell = new Deno.Command("/bin/sh", {
      ...options,
      args: ["-c", ...orphaned],
      stdout: "piped",
    });
    const { stdout } = await shell.output();
    return orphan(Number(new TextDecoder().decode(stdout)));
  } catch (error) {
    throw new ApiError("upgrade_failed", `Failed to start ${path}: ${messageOf(error)}`);
  }
}

function child(command: Deno.Command): Successor {
  const process = command.spawn();
  return {
    pid: process.pid,
    ended: process.status.then(({ signal, code }) => {
      endedChildren.set(process.pid, code);
      return { how: `it ended with ${signal ?? `exit code ${code}`}` };
    }),
    kill() {
      try {
        process.kill("SIGKILL");
      } catch { /* it has ended already */ }
    },
    [Symbol.dispose]() {},
  };
}

function orphan(pid: number): Successor {
  const how = "it ended";
  let descriptor: number;
  try {
    descriptor = openProcess(pid);
  } catch {
    return { pid, ended: Promise.resolve({ how }), kill() {}, [Symbol.dispose]() {} };
  }
  return {
    pid,
    ended: whichBecomesReadable([descriptor]).then(() => ({ how })),
    kill: () => void killProcess(descriptor, 0),
    [Symbol.dispose]: () => void libc.close(descriptor),
  };
}
