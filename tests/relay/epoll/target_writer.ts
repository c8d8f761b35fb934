/**
 * Targets of which every part tells which of them it belongs to. As a Worker it writes one after the
 * other into the memory that it is given, as fast as it can.
 *
 * @module
 */

import { type Target, TargetMemory } from "../../../lib/relay/epoll/target.ts";

/** The number of the last one that is written, if nobody has seen enough before. */
export const LAST = 10_000_000;

/** Writes the n-th target. */
export function writeTo(memory: TargetMemory, generation: number): void {
  memory.write(targetOf(generation));
}

/** Whether a target is wholly the one that its number says. */
export function isWhole(target: Target): boolean {
  const { lookedUp, addresses } = targetOf(target.generation);
  return target.lookedUp === lookedUp && target.addresses.length === addresses.length &&
    target.addresses.every((address, index) =>
      address.length === addresses[index]?.length &&
      address.every((byte) => byte === target.generation % 256)
    );
}

function targetOf(generation: number): Target {
  const length = generation % 2 === 0 ? 16 : 28;
  const address = new Uint8Array(length).fill(generation % 256);
  const addresses = Array.from({ length: generation % 17 }, () => address);
  return { generation, lookedUp: generation % 3 === 0, addresses };
}

const worker = globalThis as unknown as {
  WorkerGlobalScope?: unknown;
  onmessage: (message: MessageEvent<SharedArrayBuffer>) => void;
  postMessage(message: string): void;
};
if (worker.WorkerGlobalScope !== undefined) {
  worker.onmessage = ({ data }) => {
    const memory = new TargetMemory(data);
    worker.postMessage("started");
    for (let generation = 2; generation <= LAST; generation++) writeTo(memory, generation);
  };
}
