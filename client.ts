/**
 * hello-world-client: talks to hello-world-server, for people and for scripts.
 *
 * @module
 */

import { CommanderError } from "commander";
import { type Address, parseAddress } from "./lib/address.ts";
import { Failure, program, run, value, writeError } from "./lib/command_line.ts";
import { Conversation } from "./lib/protocol/conversation.ts";
import { talkOnPipe } from "./lib/protocol/pipe.ts";
import { Terminal } from "./lib/protocol/terminal.ts";

const NAME = "hello-world-client";
const VARIABLE = "HELLO_WORLD_SERVER";

await run(NAME, async () => {
  const command = program(NAME)
    .description(
      "Sends lines to a hello-world-server and prints its replies: those of stdin, or on a " +
        'terminal those that you type. Say "hello" or "quit"; Ctrl-D ends your side.',
    )
    .argument("[server]", `HOST:PORT of the server (default: $${VARIABLE})`, value(parseAddress))
    .parse(Deno.args, { from: "user" });
  const server: Address = command.processedArgs[0] ?? serverOfEnvironment();

  if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
    const terminal = new Terminal();
    const conversation = await Conversation.connect(server, (sentence) => terminal.say(sentence));
    return await terminal.talk(conversation);
  }
  try {
    const say = (sentence: string) => writeError(`${NAME}: ${sentence}`);
    await talkOnPipe(await Conversation.connect(server, say));
    return 0;
  } catch (error) {
    // Whoever read our stdout has read enough, as in `hello-world-client | head -1`.
    if (error instanceof Deno.errors.BrokenPipe) return 1;
    throw error;
  }
});

function serverOfEnvironment(): Address {
  const text = Deno.env.get(VARIABLE) ?? "";
  if (text === "") {
    throw new CommanderError(
      1,
      "commander.missingArgument",
      `missing argument: name the server as HOST:PORT, or set ${VARIABLE}`,
    );
  }
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof RangeError) throw new Failure(`${VARIABLE}: ${error.message}`);
    throw error;
  }
}
