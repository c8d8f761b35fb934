/**
 * Watches a number in shared memory without pause, and tells which others than 0 it has been, once
 * it is -1.
 *
 * @module
 */

/** What is to be watched. */
interface Watched {
  readonly buffer: SharedArrayBuffer;
  /** Which of the 32-bit numbers in it. */
  readonly word: number;
}

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Watched>) => void;
  postMessage(what: unknown): void;
};

worker.onmessage = ({ data: { buffer, word } }) => {
  const words = new Int32Array(buffer);
  const seen = new Set<number>();
  worker.postMessage("ready");
  for (let now = 0; now !== -1; now = Atomics.load(words, word)) if (now !== 0) seen.add(now);
  worker.postMessage([...seen]);
};
