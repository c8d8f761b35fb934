import assert from "node:assert/strict";
import { testWith } from "../support/tools.ts";
import { limited, said } from "./limited.ts";

const module = new URL("../../lib/linux/resource_limit.ts", import.meta.url);

/** Raises the limit for descriptors, and says what came of that, and what is in force. */
function raise(wanted: number): string {
  return `
    const { raiseDescriptorLimit } = await import("${module}");
    const limits = () => /^Max open files +(\\d+) +(\\d+)/m
      .exec(Deno.readTextFileSync("/proc/self/limits")).slice(1).map(Number);
    const said = raiseDescriptorLimit(${wanted});
    console.log(JSON.stringify([said, ...limits()]));`;
}

Deno.test("the limit for descriptors is not raised beyond the hard limit without the right to that", async () => {
  assert.equal(await said(limited(300), raise(1000)), "[300,300,300]");
});

Deno.test("a limit for descriptors that is high enough is left alone", async () => {
  assert.equal(await said(limited(300), raise(200)), "[300,300,300]");
});

const few = ["sh", "-c", 'ulimit -n 300 && exec "$@"', "sh"];

testWith(
  mayRaise() ? null : "no right to raise limits",
  "who may raise the limit for descriptors beyond the hard limit does so, as far as is wanted",
  async () => assert.equal(await said(few, raise(1000)), "[1000,1000,1000]"),
);

/** Whether prlimit(1), of others, is allowed what is tested here. */
function mayRaise(): boolean {
  const [command = "", ...args] = [...few, "prlimit", "--nofile=1000", "true"];
  return new Deno.Command(command, { args }).outputSync().success;
}
