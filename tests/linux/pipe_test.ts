import assert from "node:assert/strict";
import { EAGAIN, errno } from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";
import { closePipe, makePipe, type Pipe } from "../../lib/linux/pipe.ts";
import { limited, said } from "./limited.ts";

const PAGE = new Uint8Array(4096);

/** Makes a pipe for the length of a test. */
function pipe(size: number): Pipe & Disposable {
  const made = makePipe(size);
  assert(made !== null);
  return { ...made, [Symbol.dispose]: () => closePipe(made) };
}

for (const size of [65536, 1 << 18, 1 << 20]) {
  Deno.test(`a pipe of ${size} bytes takes what it says it can hold, and then does not wait`, () => {
    using made = pipe(size);
    let taken = 0;
    for (;;) {
      const count = libc.write(made.writer, PAGE, PAGE.length);
      if (count < 0) break;
      taken += count;
    }
    assert.equal(errno(), EAGAIN);
    assert.equal(taken, made.size);
    assert(made.size <= size);
  });
}

Deno.test("an empty pipe does not wait to be written to", () => {
  using made = pipe(65536);
  assert.equal(libc.read(made.reader, PAGE.slice(), PAGE.length), -1);
  assert.equal(errno(), EAGAIN);
});

const module = new URL("../../lib/linux/pipe.ts", import.meta.url);

/** Words before a command that take root's right to have more pipes than others. */
const through = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-sys_resource,-sys_admin"] : [];

for (
  const [lacking, limit] of [
    ["memory for pipes", through],
    ["descriptors", limited(100)],
  ] as const
) {
  Deno.test(`without ${lacking} there is no pipe, and nothing of one is left behind`, async () => {
    const script = `
      const { makePipe } = await import("${module}");
      const { libc } = await import("${new URL("libc.ts", module)}");
      const pipes = [];
      for (let pipe = makePipe(1 << 20); pipe !== null; pipe = makePipe(1 << 20)) pipes.push(pipe);
      const next = libc.eventfd(0, 0);
      console.log(JSON.stringify({ pipes, next }));`;
    const { pipes, next } = JSON.parse(await said(limit, script)) as {
      pipes: Pipe[];
      next: number;
    };
    const highest = Math.max(...pipes.flatMap(({ reader, writer }) => [reader, writer]));
    // A descriptor gets the lowest number that is free.
    assert(next === -1 || next <= highest + 1, `${next} after ${highest}`);
    assert(pipes.every(({ size }) => size >= 65536 && size <= 1 << 20));
    const pages = Number(Deno.readTextFileSync("/proc/sys/fs/pipe-user-pages-soft"));
    const total = pipes.reduce((sum, { size }) => sum + size, 0);
    assert(lacking === "descriptors" || pages === 0 || total <= pages * 4096, `${total} bytes`);
  });
}
