import { openPipe } from "../linux/pipe.ts";
import { libc } from "../linux/libc.ts";
import { sameNamespace } from "../linux/process.ts";

/** Said instead of a process when the one that served ends as it should. */
export const IN_PEACE = 0;

/**
 * What ties those who serve one after the other to the reaper: the process that had to stay when it
 * was succeeded, because its end would have been theirs.
 *
 * It is a pipe. Whoever serves has its writing end, and passes it on with everything else, so that the
 * kernel tells the reaper when nobody is left. Into it goes who is about to serve, so that the reaper
 * knows whom a signal is for, and whose exit code counts.
 */
export class Line {
  private constructor(
    /** The process id of the reaper. */
    readonly reaper: number,
    /** To be passed on. */
    readonly writer: number,
    /** In who is to be the reaper: to be read by it. */
    readonly reader: number | null,
  ) {}

  /**
   * Begins one, of which this process is to be the reaper.
   *
   * @throws {SystemError} when there are no descriptors for it
   */
  static begin(): Line {
    const { reader, writer } = openPipe();
    return new Line(Deno.pid, writer, reader);
  }

  /** Has what was passed on. */
  static join(reaper: number, writer: number): Line {
    return new Line(reaper, writer, null);
  }

  /** Whether this process is to be the reaper. */
  get isOurs(): boolean {
    return this.reader !== null;
  }

  /** Says that this process ends as it should. */
  leave(): void {
    this.announce(IN_PEACE);
  }

  /** Says who is about to serve. */
  announce(pid: number): void {
    // A pipe that is read at once does not fill up.
    libc.write(this.writer, new Uint8Array(new Int32Array([pid]).buffer), 4);
  }
}

/**
 * Makes sure that the reaper of this process can be that of another as well.
 *
 * @throws {Error} saying why not
 */
export function checkMember(pid: number, uid: number): void {
  if (!sameNamespace(pid)) {
    throw new Error(
      `process ${pid} is in another PID namespace, inside the one of process ${Deno.pid}, and would ` +
        "end with it",
    );
  }
  if (Deno.uid() !== 0 && uid !== Deno.uid()) {
    throw new Error(
      `process ${pid} runs as user ${uid}, to which user ${Deno.uid()} could not pass signals on`,
    );
  }
}
