import { type Address, formatAddress, parseAddress } from "../../lib/address.ts";
import type { Counters } from "../../lib/relay/relay.ts";
import type { AnotherUser } from "../support/another_user.ts";
import { Running } from "../support/programs.ts";
import type { Kind } from "./relays.ts";
import { within } from "./waiting.ts";

/** What a relay in another process says of itself. */
export interface Numbers extends Counters {
  readonly threads: number;
  readonly active: number;
  readonly queued: number | null;
  readonly failures: number;
  readonly full: number;
  /** How many clients it reset when it stopped listening. */
  readonly turnedAway: number;
  /** The client, `HOST:PORT`, whose connection was killed by the command that this answers. */
  readonly killed: string | null;
  /** Why the relay cannot go on; `null` if it can. */
  readonly broken: string | null;
}

/** What a relay in another process can be told; `kill` cuts a connection, found by any number. */
export type RelayCommand =
  | "hold"
  | "open"
  | "stop listening"
  | "shut down"
  | "numbers"
  | `kill ${number}`;

/** How a relay is started in another process. */
export interface RelayInProcessOptions {
  readonly threads?: number;
  /** As whom; by default as who we are. */
  readonly user?: AnotherUser | null;
}

/** A relay in a process of its own (see relay_process.ts). */
export class RelayInProcess implements AsyncDisposable {
  readonly #program: Running;
  #lines = 0;

  private constructor(program: Running, readonly listen: Address) {
    this.#program = program;
  }

  /** @param through words before the command: `["prlimit", "--nofile=300"]` */
  static async start(
    kind: Kind,
    upstream: Address,
    through: readonly string[] = [],
    { threads = 1, user = null }: RelayInProcessOptions = {},
  ): Promise<RelayInProcess> {
    const command = [
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      new URL("relay_process.ts", import.meta.url).pathname,
      kind,
      formatAddress(upstream),
      `${threads}`,
    ];
    const program = user === null
      ? new Running([...through, ...command])
      : await user.run([...through, ...command]);
    const [, listen = ""] = await program.heard(/^{"listen":"(.*)"}\n/, "stdout");
    return new RelayInProcess(program, parseAddress(listen));
  }

  /** Gives it a command, or only asks for its numbers. */
  async ask(command: RelayCommand = "numbers"): Promise<Numbers> {
    const before = ++this.#lines;
    await this.#program.write(`${command}\n`);
    const [, answer = ""] = await this.#program.heard(
      new RegExp(`^(?:.*\\n){${before}}(.*)\\n`),
      "stdout",
    );
    return JSON.parse(answer);
  }

  get pid(): number {
    return this.#program.pid;
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
    const [, switches] = /^voluntary_ctxt_switches:\s+(\d+)/m.exec(this.#proc("status")) ?? [];
    return Number(switches);
  }

  /** How many descriptors it has open. */
  get descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.#program.pid}/fd`)].length;
  }

  /** How many of its descriptors are ends of pipes. */
  get pipes(): number {
    const directory = `/proc/${this.#program.pid}/fd`;
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
    this.#program.kill("SIGSTOP");
    try {
      await happen();
    } finally {
      this.#program.kill("SIGCONT");
    }
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    await within(this.#program.finished(), "the end of the relay's process");
  }

  /** What it has complained of. */
  get complaints(): string {
    return this.#program.stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  #proc(file: string): string {
    return Deno.readTextFileSync(`/proc/${this.#program.pid}/${file}`);
  }
}
