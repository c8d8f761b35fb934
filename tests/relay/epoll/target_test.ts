import assert from "node:assert/strict";
import { encode } from "../../../lib/linux/socket_address.ts";
import { TargetMemory } from "../../../lib/relay/epoll/target.ts";
import { brieflyOr } from "../../support/long.ts";
import { within } from "../waiting.ts";
import { isWhole, LAST, writeTo } from "./target_writer.ts";

Deno.test("a target is read as it was written, by whoever has the memory", () => {
  const memory = new TargetMemory();
  const before = memory.version;
  const addresses = [
    encode({ host: "192.0.2.1", port: 80 }),
    encode({ host: "2001:db8::1", port: 8080 }),
  ];
  memory.write({ number: 7, lookedUp: true, addresses });
  const other = new TargetMemory(memory.buffer);
  assert.deepEqual(other.read(), { number: 7, lookedUp: true, addresses });
  assert.notEqual(other.version, before);
  memory.write({ number: 8, lookedUp: false, addresses: [] });
  assert.deepEqual(other.read(), { number: 8, lookedUp: false, addresses: [] });
});

Deno.test("of more addresses than there is room for the first ones are kept", () => {
  const memory = new TargetMemory();
  const addresses = Array.from(
    { length: 40 },
    (_, index) => encode({ host: `192.0.2.${index}`, port: 80 }),
  );
  memory.write({ number: 1, lookedUp: true, addresses });
  assert.deepEqual(memory.read().addresses, addresses.slice(0, 16));
});

Deno.test("however often a target changes while it is read, nobody reads half of one", async () => {
  const memory = new TargetMemory();
  writeTo(memory, 1);
  const writer = new Worker(import.meta.resolve("./target_writer.ts"), { type: "module" });
  try {
    const started = Promise.withResolvers<void>();
    writer.onmessage = () => started.resolve();
    writer.onerror = ({ message }) => started.reject(new Error(message));
    writer.postMessage(memory.buffer);
    await within(started.promise, "the other thread");
    const seen = new Set<number>();
    let number = 0;
    // Enough to have met many halves, however rarely this thread is given a processor.
    while (number !== LAST && seen.size < brieflyOr(120, 1000)) {
      const target = memory.read();
      assert(isWhole(target), JSON.stringify(target));
      assert(target.number >= number, "time does not go back");
      number = target.number;
      seen.add(number);
    }
    assert(seen.size > 100, `only ${seen.size} targets were seen`);
  } finally {
    writer.terminate();
  }
});
