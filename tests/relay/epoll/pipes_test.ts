import assert from "node:assert/strict";
import { Pipes } from "../../../lib/relay/epoll/pipes.ts";
import { limited, said } from "../../linux/limited.ts";

const MODULE = new URL("../../../lib/relay/epoll/pipes.ts", import.meta.url);

Deno.test("there are never more pipes than there may be, and one that is given back is used again", () => {
  const pipes = new Pipes(2);
  const [first, second] = [pipes.take(), pipes.take()];
  assert(first !== null && second !== null);
  assert.equal(pipes.take(), null);
  pipes.giveBack(first);
  assert.equal(pipes.take(), first);
  assert.equal(pipes.take(), null);
  pipes.discard(second);
  const third = pipes.take();
  assert(third !== null);
  pipes.giveBack(first);
  pipes.giveBack(third);
  pipes.close();
});

Deno.test("pipes that are not in use are closed", async () => {
  // In a process of its own, where nobody else opens or closes anything.
  const script = `
    const { Pipes } = await import("${MODULE}");
    const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = descriptors();
    const pipes = new Pipes(64);
    const taken = Array.from({ length: 64 }, () => pipes.take());
    for (const pipe of taken) if (pipe !== null) pipes.giveBack(pipe);
    const kept = descriptors();
    pipes.close();
    console.log(kept > before, descriptors() === before);`;
  assert.equal(await said(limited(1000), script), "true true");
});

Deno.test("when there are descriptors again, there are pipes again", async () => {
  const script = `
    const { Pipes } = await import("${MODULE}");
    const pipes = new Pipes(64);
    const first = pipes.take();
    const files = [];
    try {
      for (;;) files.push(Deno.openSync("/dev/null"));
    } catch { /* no descriptors are left */ }
    const without = pipes.take();
    for (const file of files) file.close();
    pipes.discard(first);
    const then = [pipes.take(), pipes.take(), pipes.take()];
    console.log(without === null, then.every((pipe) => pipe !== null));`;
  assert.equal(await said(limited(200), script), "true true");
});
