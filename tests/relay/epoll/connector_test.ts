import assert from "node:assert/strict";
import { libc } from "../../../lib/linux/libc.ts";
import { encode } from "../../../lib/linux/socket_address.ts";
import { Connection } from "../../../lib/relay/epoll/connection.ts";
import { Connector, type ConnectorContext } from "../../../lib/relay/epoll/connector.ts";
import type { Attempt } from "../../../lib/relay/epoll/connection.ts";
import type { Target } from "../../../lib/relay/epoll/target.ts";

/** A thread that does nothing but remember. */
class FakeThread implements ConnectorContext {
  time = 1000;
  timer = Infinity;
  readonly failures: number[] = [];
  readonly lacking: number[] = [];
  readonly surrenders: number[] = [];

  /** What is known elsewhere of the one connection's socket to the service. */
  known = -1;

  watchUpstream({ upstream }: Connection): boolean {
    this.known = upstream;
    return true;
  }
  forgetUpstream(): void {
    this.known = -1;
  }
  setTimer(_: Connection, time: number): void {
    this.timer = time;
  }
  roundFailed(error: number): void {
    this.failures.push(error);
  }
  lacks(_: Connection, error: number): void {
    this.lacking.push(error);
  }
  gaveUp(_: Connection, error: number): void {
    this.surrenders.push(error);
  }
}

const [FIRST, SECOND, OTHER] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((host) =>
  encode({ host, port: 1 })
) as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];

function target(...addresses: Uint8Array<ArrayBuffer>[]): Target {
  return { number: 1, lookedUp: true, addresses };
}

/** A connection that is on its way. Its socket is closed in the end. */
class OnItsWay extends Connection implements Disposable {
  constructor(connector: Connector) {
    super(0);
    connector.start(this);
  }

  get trying(): Attempt {
    assert(this.attempt);
    return this.attempt;
  }

  [Symbol.dispose](): void {
    if (this.upstream !== -1) libc.close(this.upstream);
  }
}

Deno.test("an attempt that is under way keeps the addresses of its round, whatever is found meanwhile", () => {
  for (const found of [target(), target(OTHER), { ...target(), lookedUp: false }]) {
    const thread = new FakeThread();
    const connector = new Connector(thread, target(FIRST, SECOND), 10_000);
    using one = new OnItsWay(connector);
    using two = new OnItsWay(connector);
    connector.retarget(found, [one, two]);
    assert.equal(connector.addressOf(one.trying), FIRST);
    assert.equal(connector.answered(one, one.trying, true), false);
    assert.equal(connector.addressOf(one.trying), SECOND);
    assert.equal(connector.answered(one, one.trying, false), true);
    assert.equal(connector.answered(two, two.trying, false), true);
    assert.deepEqual(thread.failures, []);
  }
});

Deno.test("which of earlier addresses has answered says nothing of those that were found since", () => {
  const connector = new Connector(new FakeThread(), target(FIRST, SECOND), 10_000);
  using one = new OnItsWay(connector);
  connector.answered(one, one.trying, true);
  connector.retarget(target(OTHER, FIRST), [one]);
  connector.answered(one, one.trying, false);
  using two = new OnItsWay(connector);
  assert.equal(connector.addressOf(two.trying), OTHER);
});

Deno.test("nobody keeps the number of a socket to the service that has been closed", () => {
  const thread = new FakeThread();
  const connector = new Connector(thread, target(FIRST, SECOND), 10_000);
  using one = new OnItsWay(connector);
  for (
    const end of [
      () => connector.answered(one, one.trying, true),
      () => connector.answered(one, one.trying, true),
      () => connector.due(one, one.trying),
      () => connector.retarget({ ...target(), number: 2, lookedUp: false }, [one]),
      () => connector.retarget({ ...target(FIRST), number: 3 }, [one]),
      () => connector.stop(one),
    ]
  ) {
    end();
    assert.equal(thread.known, one.upstream);
  }
  assert.equal(one.upstream, -1);
});
