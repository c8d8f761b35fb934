import assert from "node:assert/strict";
import { wrongLengths } from "./lengths.ts";

Deno.test("a length of 32 bits reaches the C library whole, however hot the call", () => {
  assert.deepEqual(wrongLengths().slice(0, 5), []);
});

Deno.test("a length of 32 bits reaches the C library whole from another thread as well", async () => {
  const worker = new Worker(import.meta.resolve("./lengths.ts"), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  try {
    assert.deepEqual((await promise).slice(0, 5), []);
  } finally {
    worker.terminate();
  }
});
