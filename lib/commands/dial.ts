import { failureOf } from "../control/failures.ts";
import type { ControlClient } from "../control/client.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { aboutProxy } from "./verb.ts";

/** `proxyctl dial` */
export const dialVerb = aboutProxy({
  name: "dial",
  about: "be a plain pipe to the control socket, for ssh",
  define() {},
  run: dial,
});

/** Ends when the proxy has no more to say, or nobody takes it. */
async function dial({ directory }: ControlClient): Promise<void> {
  const path = pathsIn(directory).control;
  const socket = await Deno.connect({ transport: "unix", path }).catch((error) => {
    throw failureOf(error, directory);
  });
  // Its end is that of what is asked, and of nothing else: the answer is still to come.
  void Deno.stdin.readable.pipeTo(socket.writable, { preventClose: true })
    .then(() => socket.closeWrite()).catch(() => {});
  // Who is gone wants no more of it.
  await socket.readable.pipeTo(Deno.stdout.writable).catch(() => {});
}
