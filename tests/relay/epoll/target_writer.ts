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
export function writeTo(memory: TargetMemory, number: number): void {
  memory.write(targetOf(number));
}

/** Whether a target is wholly the one that its number says. */
export function isWhole(target: Target): boolean {
  const { lookedUp, addresses } = targetOf(target.number);
  return target.lookedUp === lookedUp && target.addresses.length === addresses.length &&
    target.addresses.every((address, index) =>
      address.length === addresses[index]?.length &&
      address.every((byte) => byte === target.number % 256)
    );
}

function targetOf(number: number): Target {
  const length = number % 2 === 0 ? 16 : 28;
  const address = new Uint8Array(length).fill(number % 256);
  const addresses = Array.from({ length: number % 17 }, () => address);
  return { number, lookedUp: number % 3 === 0, addresses };
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
    for (let number = 2; number <= LAST; number++) writeTo(memory, number);
  };
}
