/**
 * hello-world-client: talks to hello-world-server, for people and for scripts.
 *
 * @module
 */

import { type Address, parseAddress } from "./lib/address.ts";
import { run, usageError } from "./lib/command_line.ts";
import { writeError } from "./lib/standard_streams.ts";
import { refuseOldDeno } from "./lib/deno_version.ts";
import { Failure } from "./lib/failure.ts";
import { CLIENT, clientCommandLine, SERVER_VARIABLE } from "./lib/protocol/command_lines.ts";
import { Conversation } from "./lib/protocol/conversation.ts";
import { talkOnPipe } from "./lib/protocol/pipe.ts";
import { Terminal } from "./lib/protocol/terminal.ts";

await run(CLIENT, async () => {
  refuseOldDeno();
  const command = clientCommandLine().parse(Deno.args, { from: "user" });
  const server: Address = command.processedArgs[0] ?? serverOfEnvironment();

  if (Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
    const terminal = new Terminal();
    const conversation = await Conversation.connect(server, (sentence) => terminal.say(sentence));
    return await terminal.talk(conversation);
  }
  try {
    const say = (sentence: string) => writeError(`${CLIENT}: ${sentence}`);
    await talkOnPipe(await Conversation.connect(server, say));
    return 0;
  } catch (error) {
    // Whoever read our stdout has read enough, as in `hello-world-client | head -1`.
    if (error instanceof Deno.errors.BrokenPipe) return 1;
    throw error;
  }
});

function serverOfEnvironment(): Address {
  const text = Deno.env.get(SERVER_VARIABLE) ?? "";
  if (text === "") {
    throw usageError(
      `missing argument: name the server as HOST:PORT, or set ${SERVER_VARIABLE}`,
    );
  }
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof RangeError) throw new Failure(`${SERVER_VARIABLE}: ${error.message}`);
    throw error;
  }
}
