import { type Address, formatAddress, parseAddress } from "../../lib/address.ts";
import type { Counters, RelayOptions } from "../../lib/relay/relay.ts";
import type { AnotherUser } from "../support/another_user.ts";
import { isLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import type { Beginning } from "./relay_process.ts";
import type { Kind } from "./relays.ts";
import { eventually, within } from "./waiting.ts";

/** What a relay in another process says of itself. */
export interface Numbers extends Counters {
  readonly threads: number;
  readonly active: number;
  readonly idleFor: number;
  readonly queued: number | null;
  readonly suspended: number;
  readonly failures: number;
  readonly full: number;
  /** How often it told that the queue fills. */
  readonly filling: number;
  /** How many clients it reset when it stopped listening. */
  readonly turnedAway: number;
  /** The client, `HOST:PORT`, whose connection was killed by the command that this answers. */
  readonly killed: string | null;
  /** Why the relay cannot go on; `null` if it can. */
  readonly broken: string | null;
}

/**
 * What a relay in another process can be told; `kill` cuts a connection, found by any number,
 * `close idle` those that have been idle for so many milliseconds, and `hold` with a number has it
 * suspend those that are quiet for so many. After `end` there may be another relay in that process,
 * after `shut down` there is nothing.
 */
export type RelayCommand =
  | "hold"
  | `hold ${number}`
  | "open"
  | "freeze"
  | "thaw"
  | "stop listening"
  | "shut down"
  | "end"
  | "numbers"
  | `kill ${number}`
  | `close idle ${number}`;

/** How a relay is started in another process. */
export interface RelayInProcessOptions {
  /** How it differs from a plain one. */
  readonly settings?: Partial<RelayOptions>;
  /** As whom; by default as who we are. */
  readonly user?: AnotherUser | null;
}

/** A process that has a relay, one after the other (see relay_process.ts). */
interface Process {
  readonly program: Running;
  /** How many lines it has said. */
  lines: number;
}

/** Processes without a relay, by the words that they were started through. */
const spare: Record<string, Process[]> = {};

/** Ends those. */
export async function endSpareProcesses(): Promise<void> {
  for (const { program } of Object.values(spare).flat()) await program[Symbol.asyncDispose]();
}

/** A relay in another process. */
export class RelayInProcess implements AsyncDisposable {
  readonly #process: Process;
  readonly #complained: number;

  private constructor(
    process: Process,
    readonly listen: Address,
    /** Gives the process back. */
    private readonly giveBack: ((process: Process) => void) | null,
  ) {
    this.#process = process;
    this.#complained = process.program.stderr.length;
  }

  /**
   * In a process of its own.
   *
   * @param through words before the command: `["prlimit", "--nofile=300"]`
   */
  static async start(
    kind: Kind,
    upstream: Address,
    through: readonly string[] = [],
    { settings = {}, user = null }: RelayInProcessOptions = {},
  ): Promise<RelayInProcess> {
    const process = await startProcess(through, user);
    return await RelayInProcess.#begin(process, { kind, upstream, settings }, null);
  }

  /** As {@linkcode start}, but briefly in a process that others had and will have as well. */
  static async borrow(
    kind: Kind,
    upstream: Address,
    through: readonly string[] = [],
    settings: Partial<RelayOptions> = {},
  ): Promise<RelayInProcess> {
    if (isLong) return await RelayInProcess.start(kind, upstream, through, { settings });
    const processes = spare[through.join(" ")] ??= [];
    const process = processes.pop() ?? await startProcess(through, null);
    return await RelayInProcess.#begin(
      process,
      { kind, upstream, settings },
      (process) => processes.push(process),
    );
  }

  static async #begin(
    process: Process,
    { upstream, ...rest }: Omit<Beginning, "upstream"> & { readonly upstream: Address },
    giveBack: ((process: Process) => void) | null,
  ): Promise<RelayInProcess> {
    const beginning: Beginning = { ...rest, upstream: formatAddress(upstream) };
    const { listen } = await tell(process, JSON.stringify(beginning));
    return new RelayInProcess(process, parseAddress(listen), giveBack);
  }

  /** Gives it a command, or only asks for its numbers. */
  async ask(command: RelayCommand = "numbers"): Promise<Numbers> {
    return await tell(this.#process, command);
  }

  get pid(): number {
    return this.#process.program.pid;
  }

  /** Its resident memory, in MiB. */
  get memory(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(this.#proc("status")) ?? [];
    return Number(kilobytes) / 1024;
  }

  /** The time of the processor it has used, in milliseconds (proc_pid_stat(5), 100 ticks a second). */
  get busy(): number {
    const fields = this.#proc("stat").replace(/^.*\) /, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** How often its main thread has woken up. */
  get wakeUps(): number {
    return this.#switches("status");
  }

  /** How often any of its threads has woken up. */
  get allWakeUps(): number {
    const threads = [...Deno.readDirSync(`/proc/${this.#process.program.pid}/task`)];
    return threads.reduce((sum, { name }) => sum + this.#switches(`task/${name}/status`), 0);
  }

  /** What each of its threads is doing (proc_pid_stat(5)). */
  get #states(): string[] {
    const threads = [...Deno.readDirSync(`/proc/${this.#process.program.pid}/task`)];
    return threads.map(({ name }) =>
      this.#proc(`task/${name}/stat`).replace(/^.*\) /, "").slice(0, 1)
    );
  }

  /** How many descriptors it has open. */
  get descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.#process.program.pid}/fd`)].length;
  }

  /** How many of its descriptors are ends of pipes. */
  get pipes(): number {
    const directory = `/proc/${this.#process.program.pid}/fd`;
    return [...Deno.readDirSync(directory)].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`${directory}/${name}`).startsWith("pipe:");
      } catch {
        return false; // it has been closed since
      }
    }).length;
  }

  /** Keeps it from running while something happens, so that all of that comes at once. */
  async meanwhile(happen: () => Promise<void>): Promise<void> {
    this.#process.program.kill("SIGSTOP");
    try {
      // Each thread stands still only when it has had its turn once more.
      await eventually(() => this.#states.every((state) => state === "T"), "a process that stands");
      await happen();
    } finally {
      this.#process.program.kill("SIGCONT");
    }
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await within(this.#process.program.finished(), "the end of the relay's process");
  }

  /** What it has complained of. */
  get complaints(): string {
    return this.#process.program.stderr.slice(this.#complained);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.giveBack === null) return await this.#process.program[Symbol.asyncDispose]();
      await this.ask("end");
      this.giveBack(this.#process);
    } catch {
      // It has ended, or does not answer.
      await this.#process.program[Symbol.asyncDispose]();
    }
  }

  #switches(file: string): number {
    const [, switches] = /^voluntary_ctxt_switches:\s+(\d+)/m.exec(this.#proc(file)) ?? [];
    return Number(switches);
  }

  #proc(file: string): string {
    return Deno.readTextFileSync(`/proc/${this.#process.program.pid}/${file}`);
  }
}

async function startProcess(
  through: readonly string[],
  user: AnotherUser | null,
): Promise<Process> {
  const script = new URL("relay_process.ts", import.meta.url).pathname;
  const command = [...through, Deno.execPath(), "run", "--quiet", "--allow-all", script];
  const program = user === null ? new Running(command) : await user.run(command);
  return { program, lines: 0 };
}

/** Says a line, and waits for the answer. */
async function tell(process: Process, line: string) {
  const before = process.lines++;
  await process.program.write(`${line}\n`);
  const pattern = new RegExp(`^(?:.*\\n){${before}}(.*)\\n`);
  const [, answer = ""] = await process.program.heard(pattern, "stdout");
  return JSON.parse(answer);
}
