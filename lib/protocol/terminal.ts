/**
 * A conversation with a person on our side: a prompt with line editing, and replies above it.
 *
 * @module
 */

import process from "node:process";
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  type Interface,
  moveCursor,
} from "node:readline";
import { writeAll, writeError } from "../standard_streams.ts";
import type { Conversation } from "./conversation.ts";
import { printable } from "../printable.ts";

const COMMANDS = ["hello", "quit"];

/** The exit code of a program that was interrupted from the keyboard. */
const INTERRUPTED = 130;

/** Talks with people; says things without disturbing the line that they are typing. */
export class Terminal {
  #editor: Interface | undefined;

  /** Shows a sentence on stderr. */
  say(sentence: string): void {
    this.#above(() => writeError(sentence));
  }

  /**
   * Talks until the server has ended the conversation. Ctrl-D is the end of our side; Ctrl-C ends
   * everything at once.
   *
   * @returns the exit code
   */
  async talk(conversation: Conversation): Promise<number> {
    const editor = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: "> ",
      completer: (line: string) => [COMMANDS.filter((command) => command.startsWith(line)), line],
    });
    this.#editor = editor;
    const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<number>();
    let leaving = false;

    editor.on("line", (line) => {
      conversation.send([new TextEncoder().encode(line)]);
      leaving = line === "quit";
      if (leaving) this.#stopEditing();
      else editor.prompt();
    });
    editor.on("SIGINT", () => interrupt(INTERRUPTED));
    editor.on("close", () => {
      if (this.#editor === undefined) return; // it was us
      this.#editor = undefined;
      leaving = true;
      writeAll(Deno.stdout, "\n");
      conversation.end();
    });
    this.say(`Connected to ${conversation.server}: say "hello" or "quit"`);

    let exitCode: number;
    try {
      exitCode = await Promise.race([interrupted, this.#listen(conversation)]);
    } finally {
      this.#above(() => this.#stopEditing());
    }
    if (exitCode === 0 && !leaving) this.say("The server closed the connection");
    return exitCode;
  }

  async #listen(conversation: Conversation): Promise<0> {
    const text = new TextDecoder();
    for await (const replies of conversation.replies()) {
      for (const reply of replies) {
        this.#above(() => writeAll(Deno.stdout, `${printable(text.decode(reply))}\n`));
      }
    }
    return 0;
  }

  /** Takes the prompt, and what was typed, off the screen while something else is done. */
  #above(write: () => void): void {
    if (this.#editor !== undefined) {
      moveCursor(process.stdout, 0, -this.#editor.getCursorPos().rows);
      cursorTo(process.stdout, 0);
      clearScreenDown(process.stdout);
      // The editor would otherwise go up by as many rows again, and over what is written now.
      Object.assign(this.#editor, { prevRows: 0 });
    }
    write();
    this.#editor?.prompt(true);
  }

  #stopEditing(): void {
    const editor = this.#editor;
    this.#editor = undefined;
    editor?.close();
  }
}
