import assert from "node:assert/strict";
import { Direction } from "../../../lib/relay/epoll/direction.ts";
import { Unfinished } from "../../../lib/relay/epoll/unfinished.ts";

/** Some directions that have more to carry, each in a row of its own. */
function withSome(count: number): Unfinished {
  const unfinished = new Unfinished();
  for (let row = 0; row < count; row++) unfinished.add(new Direction(row));
  return unfinished;
}

Deno.test("among small messages each moves the less in its turn, the more have much to carry", () => {
  const most = [0, 1, 2, 4, 1000].map((count) => {
    const unfinished = withSome(count);
    unfinished.sawSmall(0);
    unfinished.goOn(0, () => {});
    return unfinished.most / 1024;
  });
  assert.deepEqual(most, [256, 256, 128, 64, 64]);
});

Deno.test("those who only meet others who have much to carry move much at once again", () => {
  const most = [0, 9, 10].map((later) => {
    const unfinished = withSome(2);
    unfinished.sawSmall(1000);
    unfinished.goOn(1000 + later, () => {});
    return unfinished.most / 1024;
  });
  assert.deepEqual(most, [128, 128, 1024]);
});

Deno.test("each goes on once, in the order they came, and those that have still more in the next turn", () => {
  const unfinished = new Unfinished();
  const directions = [0, 1, 2].map((row) => new Direction(row));
  for (const direction of [...directions, ...directions]) unfinished.add(direction);
  const rows: number[] = [];
  const carry = (direction: Direction) => {
    rows.push(direction.row);
    if (direction.row !== 1) unfinished.add(direction);
  };
  unfinished.goOn(0, carry);
  assert.deepEqual(rows.splice(0), [0, 1, 2]);
  assert.ok(unfinished.any);
  unfinished.goOn(0, carry);
  assert.deepEqual(rows, [0, 2]);
});

Deno.test("one whose connection has ended, or whose sink takes nothing, is not carried", () => {
  const unfinished = new Unfinished();
  const [ended, blocked] = [new Direction(0), new Direction(1)];
  for (const direction of [ended, blocked]) unfinished.add(direction);
  ended.isPostponed = false;
  blocked.blocked = true;
  unfinished.goOn(0, () => assert.fail("it is carried"));
  assert.ok(!unfinished.any);
});
