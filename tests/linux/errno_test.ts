import assert from "node:assert/strict";
import * as errno from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";

const { checked, describeError, errorName, SystemError } = errno;

Deno.test("every error that is told apart has its own name", () => {
  for (const [name, number] of Object.entries(errno)) {
    if (typeof number === "number") assert.equal(errorName(number), name);
  }
});

Deno.test("an error is described by the system's sentence and its name", () => {
  assert.equal(describeError(errno.ECONNREFUSED), "Connection refused (ECONNREFUSED)");
  assert.equal(describeError(errno.EMFILE), "Too many open files (EMFILE)");
  assert.equal(describeError(4095), "Unknown error 4095 (error 4095)");
});

Deno.test("a failed call says what failed and why, and has a code as errors of Deno have", () => {
  assert.throws(() => checked("bind", libc.close(-1)), (error) => {
    assert(error instanceof SystemError);
    assert.equal(error.message, "bind: Bad file descriptor (EBADF)");
    assert.equal(error.code, "EBADF");
    assert.equal(errorName(error.number), "EBADF");
    return true;
  });
  assert.equal(checked("bind", 0), 0);
  assert.equal(checked("bind", 7), 7);
});

Deno.test("each thread has an errno of its own", async () => {
  const module = new URL("../../lib/linux/", import.meta.url);
  const script = `
    import { errno } from "${module}errno.ts";
    import { libc } from "${module}libc.ts";
    libc.if_nametoindex(new TextEncoder().encode("?\\0"));
    postMessage(errno());`;
  libc.close(-1);
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(script)}`, {
    type: "module",
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  worker.onmessage = ({ data }) => resolve(data);
  assert.equal(errorName(await promise), "ENODEV");
  assert.equal(errorName(errno.errno()), "EBADF");
  worker.terminate();
});
