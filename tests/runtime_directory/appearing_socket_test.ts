import assert from "node:assert/strict";
import { join } from "node:path";
import { AppearingSocket } from "../../lib/runtime_directory/appearing_socket.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

/** A socket that is bound and has not appeared. */
function bind(path: string): AppearingSocket & Disposable {
  const socket = new AppearingSocket(path);
  const listener = Deno.listen({ transport: "unix", path: socket.temporary });
  return Object.assign(socket, { [Symbol.dispose]: () => listener.close() });
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("a socket that appears leaves one alone that is about to, which then takes its place", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = join(directory.path, "control.sock");
  using first = bind(path);
  using second = bind(path);
  await first.appear();
  assert.equal(await first.isThere(), true);
  await second.appear();
  assert.deepEqual([await first.isThere(), await second.isThere()], [false, true]);
  assert.deepEqual(namesIn(directory.path), ["control.sock"]);
});

Deno.test("a socket that has lost its place does not remove the one that has it", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = join(directory.path, "control.sock");
  using first = bind(path);
  using second = bind(path);
  await first.appear();
  await second.appear();
  assert.equal(await first.disappear(), false);
  assert.equal(await second.isThere(), true);
  assert.equal(await second.disappear(), true);
  assert.deepEqual(namesIn(directory.path), []);
});

Deno.test("what those left behind who never appeared is cleared away, and nothing else", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = join(directory.path, "control.sock");
  using own = bind(path);
  using _dead = bind(path);
  using other = bind(join(directory.path, "handover.sock"));
  await own.clearRemains();
  const left = [own.temporary, other.temporary].map((one) => one.slice(directory.path.length + 1));
  assert.deepEqual(namesIn(directory.path), left.sort());
  await own.appear();
});
