import assert from "node:assert/strict";
import type { Address } from "../../../lib/address.ts";
import { Peer } from "../../relay/peer.ts";
import type { Talker } from "../../relay/quick_enough.ts";
import { pause } from "../../relay/waiting.ts";

/** What a client does next. */
export type Step =
  /** Asks so many things together, in so many pieces, and waits for all answers. */
  | {
    readonly ask: number;
    readonly inPieces: number;
    /** How the service answers: after that part of what counts as quiet, in so many pieces. */
    readonly delay: number;
    readonly pieces: number;
  }
  /** Says nothing, for so many times what counts as quiet. */
  | { readonly rest: number };

/** How a client behaves. */
export interface Behaviour {
  readonly steps: readonly Step[];
  /** How it ends: in peace, after a last question with its own end behind it, or without an answer. */
  readonly ending: "end" | "half-close" | "reset" | "leave";
}

/** Who plays a client. */
export interface Cast {
  readonly name: number;
  readonly address: Address;
  readonly talker: Talker;
  /** Gets what is asked: its id, and whether it must be answered. */
  readonly asked: Map<string, boolean>;
}

/** Plays a client to its end. */
export async function play(behaviour: Behaviour, cast: Cast): Promise<void> {
  using peer = await Peer.connect(cast.address);
  let count = 0;
  const question = (delay: number, pieces: number, isAnswered: boolean) => {
    const id = `${cast.name}.${count++}`;
    cast.asked.set(id, isAnswered);
    return { id, line: `${id} ${Math.round(delay * cast.talker.quiet)} ${pieces}\n` };
  };
  for (const step of behaviour.steps) {
    if ("rest" in step) {
      await pause(step.rest * cast.talker.quiet);
      continue;
    }
    // What is asked together is answered without a pause that counts as quiet.
    const delayOf = (index: number) => index === 0 ? step.delay : 0;
    const all = Array.from(
      { length: step.ask },
      (_, index) => question(delayOf(index), step.pieces, true),
    );
    await sendInPieces(peer, all.map(({ line }) => line).join(""), step.inPieces, cast.talker);
    for (const { id } of all) await answered(peer, id);
  }
  const { id, line } = question(0, 1, behaviour.ending === "half-close");
  switch (behaviour.ending) {
    case "end":
      cast.asked.delete(id);
      peer.finish();
      assert.equal(await peer.rest(), "");
      return;
    case "half-close":
      await peer.send(line);
      peer.finish();
      await answered(peer, id);
      assert.equal(await peer.rest(), "");
      return;
    case "reset":
      await peer.send(line);
      peer.reset();
      return;
    case "leave":
      await peer.send(line);
  }
}

async function sendInPieces(peer: Peer, text: string, pieces: number, talker: Talker) {
  const size = Math.ceil(text.length / pieces);
  let spokeAt: number | null = null;
  for (let start = 0; start < text.length; start += size) {
    if (start > 0) await pause(talker.quiet / 8);
    const now = performance.now();
    if (spokeAt !== null) talker.paused(now - spokeAt);
    spokeAt = now;
    await peer.send(text.slice(start, start + size));
  }
}

async function answered(peer: Peer, id: string): Promise<void> {
  assert.equal(await peer.read(id.length), id);
  // The version has one digit, or more.
  let version = "";
  while (!version.endsWith("\n")) version += await peer.read(1);
  assert.match(version, /^ \d+\n$/);
}
