import assert from "node:assert/strict";
import { KeeperLog } from "../lib/keeper/log.ts";
import { NotRegular, readRegularFile, writeRegularFile } from "../lib/regular_file.ts";
import { makeFifo } from "./support/fifo.ts";
import { TemporaryDirectory } from "./support/temporary.ts";
import { testWith, without } from "./support/tools.ts";

Deno.test("what is written instead of a file, or behind it, is read again", async () => {
  await using temporary = await TemporaryDirectory.make();
  const path = `${temporary.path}/file`;
  assert.throws(() => readRegularFile(path), { code: "ENOENT" });
  writeRegularFile(path, "a longer beginning\n", "instead");
  writeRegularFile(path, "one\n", "instead");
  writeRegularFile(path, "twö\n", "behind");
  assert.equal(readRegularFile(path), "one\ntwö\n");
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

testWith(
  without("mkfifo"),
  "whatever else is there is neither waited for, nor followed, nor changed",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const { path } = temporary;
    await makeFifo(`${path}/fifo`);
    await Deno.mkdir(`${path}/directory`);
    await Deno.writeTextFile(`${path}/elsewhere`, "precious");
    await Deno.symlink(`${path}/elsewhere`, `${path}/link`);
    using _socket = Deno.listen({ transport: "unix", path: `${path}/socket` });
    for (const name of ["fifo", "directory", "link", "socket"]) {
      assert.throws(() => readRegularFile(`${path}/${name}`), NotRegular, name);
      for (const how of ["instead", "behind"] as const) {
        assert.throws(() => writeRegularFile(`${path}/${name}`, "", how), NotRegular, name);
      }
    }
    assert.equal(await Deno.readTextFile(`${path}/elsewhere`), "precious");
  },
);

testWith(without("mkfifo"), "a FIFO instead of its log does not stop a keeper", async () => {
  await using temporary = await TemporaryDirectory.make();
  await makeFifo(`${temporary.path}/keeper.log`);
  new KeeperLog(temporary.path).write("hello");
});
