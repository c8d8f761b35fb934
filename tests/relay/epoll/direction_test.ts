import assert from "node:assert/strict";
import { Direction, SINK_FAILED } from "../../../lib/relay/epoll/direction.ts";
import { Pipes } from "../../../lib/relay/epoll/pipes.ts";
import { whyNoEpoll } from "../../../lib/linux/available.ts";
import { ECONNRESET, EPIPE } from "../../../lib/linux/errno.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { openPipe } from "../../../lib/linux/pipe.ts";
import { testWith } from "../../support/tools.ts";

/** Calls that are answered instead of the system, one after the other. */
class Answers implements Disposable {
  readonly #real: [keyof typeof libc, unknown][] = [];

  answer(name: "recv" | "send" | "splice", ...answers: (() => number)[]): void {
    this.#real.push([name, libc[name]]);
    const value = () => answers.shift()?.() ?? assert.fail(`${name} is called once more`);
    Object.defineProperty(libc, name, { value });
  }

  [Symbol.dispose](): void {
    for (const [name, value] of this.#real) Object.defineProperty(libc, name, { value });
  }
}

/** A call that fails with EPIPE. */
function brokenPipe(): number {
  const { reader, writer } = openPipe();
  libc.close(reader);
  const failed = libc.write(writer, new Uint8Array(1), 1);
  // That it is closed well leaves errno as it is.
  libc.close(writer);
  return failed;
}

/** With which error it fails to pass on what it has read into a pipe. */
function failToFlush(...passedOn: (() => number)[]): number {
  using answers = new Answers();
  answers.answer("recv", () => 16 * 1024);
  answers.answer("send", () => 16 * 1024);
  answers.answer("splice", () => 100_000, ...passedOn);
  const direction = new Direction(0);
  direction.begin(1000, 1001, false);
  direction.readable = true;
  const pipes = new Pipes(1);
  assert.equal(direction.carry(pipes, 1 << 20), SINK_FAILED);
  direction.drop(pipes);
  return direction.sinkError;
}

testWith(
  whyNoEpoll(),
  "a call that passes a part on and hides why no more is not taken for an end of who reads",
  () => {
    assert.equal(failToFlush(() => 60_000, brokenPipe), ECONNRESET);
    assert.equal(failToFlush(brokenPipe), EPIPE);
    return Promise.resolve();
  },
);
