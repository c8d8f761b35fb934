import assert from "node:assert/strict";
import type { Peer, Service } from "../relay/peer.ts";
import { commandOf } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { upgradable } from "./upgradable.ts";
import { whyNoTakeover } from "./why_not.ts";

/** Why no proxy can be started through a link and upgraded here; `null` if it can. */
export const whyNotLinked = whyNoTakeover ??
  (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : null);

/** A proxy that was started through a link, which can be made to lead elsewhere. */
export async function linked(service: Service) {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await TemporaryDirectory.make());
  const [executable] = commandOf("proxy");
  await Deno.symlink(executable, `${path}/link`);
  const wrap = ["sh", "-c", `shift; exec ${path}/link "$@"`, "sh"];
  const { proxy } = stack.use(await upgradable(service, { through: wrap }));
  const relink = async (script: string) => {
    await Deno.writeTextFile(`${path}/new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await Deno.symlink(`${path}/new`, `${path}/link.new`);
    await Deno.rename(`${path}/link.new`, `${path}/link`);
  };
  return { path, proxy, relink, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Asserts that a client of an echo is still served. */
export async function assertServed(peer: Peer): Promise<void> {
  await peer.send("yo");
  assert.equal(await peer.read(2), "yo");
}
