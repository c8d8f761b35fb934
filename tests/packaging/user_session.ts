import assert from "node:assert/strict";
import type { Running } from "../support/programs.ts";
import { startInDebian } from "./debian_machine.ts";

const LOGIN = "useradd --create-home somebody && exec su --login --shell /bin/sh somebody";

/** The shell of a user who is not root, in a Debian. Disposing of it ends all that runs there. */
export class UserSession implements AsyncDisposable {
  #commands = 0;

  private constructor(
    private readonly stack: AsyncDisposableStack,
    private readonly shell: Running,
  ) {}

  /** @param packages a directory, which is `/packages` there */
  static async start(packages: string): Promise<UserSession> {
    await using stack = new AsyncDisposableStack();
    const shell = await startInDebian(stack, packages, ["sh", "-c", LOGIN]);
    return new UserSession(stack.move(), shell);
  }

  /** Types a command. @returns what it wrote to stdout @throws unless it succeeds */
  async run(command: string): Promise<string> {
    const mark = `End of command ${++this.#commands}:`;
    const begin = this.shell.stdout.length;
    await this.shell.write(`${command}\necho "${mark} $?"\n`);
    const { index, 1: code } = await this.shell.heard(new RegExp(`${mark} (\\d+)\n`), "stdout");
    const said = this.shell.stdout.slice(begin, index);
    assert.equal(code, "0", `${command}: ${said}${this.shell.stderr}`);
    return said.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}
