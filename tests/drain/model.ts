/**
 * What must be true of a drain, whatever happens: an account of the drain kept by the simplest
 * means, against which every step of the real one is held.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../lib/address.ts";
import { ABSORB_WITHIN } from "../../lib/drain.ts";
import type { DrainRecord } from "../../lib/drain/record.ts";
import {
  type DrainEvent,
  DrainRefused,
  type DrainRequest,
  type EndCause,
  type Outcome,
} from "../../lib/drain/types.ts";
import type { Waiter } from "../../lib/drain/waiter.ts";
import { COMMAND_UPSTREAM, FakeProxy } from "./fake_proxy.ts";
import { FakeClock, FakeDisk, idle } from "./fakes.ts";
import { IoQueue } from "./io_queue.ts";

/** A command that was given, and is not answered yet. */
type Issued =
  | { readonly kind: "drain"; readonly request: DrainRequest }
  | { readonly kind: "resume"; readonly owner: string; readonly force: boolean };

/** Somebody who waits, and what it was told. */
interface Waiting {
  readonly waiter: Waiter;
  readonly settled: Outcome[];
  readonly ended: Outcome[];
}

/** The drain that is going on, as far as the model knows. */
interface Account {
  owner: string | null;
  readonly granted: DrainRequest[];
  /** Those who have not left. */
  readonly waiting: Set<Waiting>;
  /** Those who asked with `--no-wait`. */
  readonly notWaiting: Set<Waiting>;
  deadline: number | null;
  leaseExpires: number | null;
  refusals: { readonly owner: string; readonly expires: number }[];
  /** How many connections the relay had cut before. */
  readonly cutBefore: number;
}

export class Model {
  readonly disk = new FakeDisk();
  clock = new FakeClock();
  proxy!: FakeProxy;
  stopped = false;
  #io = new IoQueue();
  #account: Account | null = null;
  #issued: Issued[] = [];
  #everybody: Waiting[] = [];
  #failures: unknown[] = [];
  #process = 0;
  #starting = false;
  /** The record could not be removed, so it is there although the proxy is open. */
  #stray = false;
  /** The record has been removed, and the relay opens next. */
  #opening = false;
  /** The record of a restored drain could not be written. */
  #unrecorded = false;

  constructor(readonly closeLater: boolean) {}

  /** Those who have not left. */
  get present(): Waiting[] {
    return [...this.#account?.waiting ?? [], ...this.#account?.notWaiting ?? []];
  }

  get owner(): string | null {
    return this.#account?.owner ?? null;
  }

  /** A process starts, with what the last one left. */
  async start(startDrained: boolean, commandUpstream = COMMAND_UPSTREAM): Promise<void> {
    this.#process++;
    const onEffect = this.#ofThisProcess<{ name: string; when: "before" | "after" }>(
      ({ name, when }) => this.#onEffect(name, when),
    );
    this.#io = new IoQueue((name, when) => onEffect({ name, when }));
    this.#everybody = [];
    this.#issued = [];
    this.stopped = false;
    this.#starting = true;
    this.#stray = this.#opening = this.#unrecorded = false;
    this.proxy = new FakeProxy(this.clock, this.disk, {
      perform: this.#io.perform,
      closeLater: this.closeLater,
      commandUpstream,
      report: this.#ofThisProcess((event: DrainEvent) => this.#onEvent(event)),
    });
    this.proxy.relay.beforeClose = this.#ofThisProcess((id) => this.#onCut(id));
    const found = this.disk.record;
    const kept = found !== null && this.#goesOn(found) ? found : null;
    this.#account = kept === null && !startDrained ? null : {
      owner: kept?.owner ?? null,
      granted: [],
      waiting: new Set(),
      notWaiting: new Set(),
      deadline: null,
      leaseExpires: null,
      refusals: (kept?.refusals ?? []).map(({ owner, expires }) => ({
        owner,
        expires: this.clock.now() +
          Math.min(Date.parse(expires) - this.clock.wall(), ABSORB_WITHIN),
      })),
      cutBefore: 0,
    };
    const expected = this.#account === null ? "open" : "drained";
    void this.proxy.start(startDrained);
    await this.settle();
    this.#starting = false;
    assert.equal(this.proxy.drain.status.state, expected, "the state after a restart");
    const target = found?.commandUpstream === commandUpstream ? found.upstream : null;
    assert.equal(formatAddress(this.proxy.relay.upstream), target ?? commandUpstream);
    const leaseLeft = (this.proxy.drain.status.leaseExpires ?? 0) - this.clock.wall();
    assert.ok(leaseLeft <= (kept?.lease ?? Infinity), "a restart makes no lease longer");
    this.check();
  }

  /** The process is killed; what it had begun is done or not, and time passes without it. */
  crash(downtime: number, jump: number): void {
    this.#io.clear();
    const wall = this.clock.wall() + downtime + jump;
    this.clock = new FakeClock(downtime % 977, wall);
  }

  drain(request: DrainRequest): void {
    const issued: Issued = { kind: "drain", request };
    this.#issue(issued, this.proxy.drain.drain(request), (waiter) => {
      const waiting: Waiting = { waiter, settled: [], ended: [] };
      waiter.settled.then(this.#ofThisProcess((outcome) => this.#onSettled(waiting, outcome)));
      waiter.ended.then(this.#ofThisProcess((outcome) => waiting.ended.push(outcome)));
      this.#everybody.push(waiting);
      if (request.wait) this.#account?.waiting.add(waiting);
      else this.#account?.notWaiting.add(waiting);
    }, (refused) => {
      if (refused.code === "stopping") assert.ok(this.stopped);
      if (refused.code === "held_by_another") this.#checkRefusal(refused);
    });
  }

  resume(owner: string, force: boolean): void {
    this.#issue({ kind: "resume", owner, force }, this.proxy.drain.resume(owner, force), (done) => {
      assert.equal(done.changed, done.message.startsWith("Resumed"));
      assert.equal(done.absorbed, done.message.startsWith("Nothing was resumed"));
    }, (refused) => {
      if (refused.code === "stopping") return assert.ok(this.stopped);
      this.#checkRefusal(refused);
      assert.notEqual(this.owner, owner, "an owner can resume");
      assert.equal(force, false, "force can resume");
      assert.equal(this.#refusal(owner), undefined, "a refused one can resume");
    });
  }

  leave(waiting: Waiting): void {
    this.#account?.waiting.delete(waiting);
    this.#account?.notWaiting.delete(waiting);
    waiting.waiter.leave();
  }

  retarget(port: number): void {
    const upstream = parseAddress(`new.example:${port}`);
    this.proxy.drain.retarget(upstream).then(
      this.#ofThisProcess(() => assert.deepEqual(this.proxy.relay.upstream, upstream)),
      this.#ofThisProcess((error) => assert.ok(error instanceof DrainRefused)),
    );
  }

  stop(): void {
    this.stopped = true;
    void this.proxy.drain.stop();
  }

  /** Some I/O goes on. */
  async step(pick: number): Promise<void> {
    this.#io.step(pick);
    await idle();
    this.check();
  }

  /** All I/O goes on until there is none. */
  async settle(): Promise<void> {
    for (let steps = 0; steps === 0 || this.#io.size > 0; steps++) {
      assert.ok(steps < 10_000, "it comes to rest");
      this.#io.step();
      await idle();
      if (!this.#starting) this.check();
    }
  }

  /** Time passes, with its I/O stuck or done at once. */
  async pass(milliseconds: number, stuck: boolean): Promise<void> {
    await this.clock.pass(milliseconds, stuck ? idle : () => this.settle());
  }

  /** What is true at every moment. */
  check(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
    const { drain, relay } = this.proxy;
    const { state, owner, since, deadline, leaseExpires } = drain.status;
    if (state === "open") {
      assert.deepEqual([owner, since, deadline, leaseExpires], [null, null, null, null]);
      return;
    }
    assert.equal(relay.holding, true, `nobody is served while ${state}`);
    assert.equal(owner, this.owner);
    assert.notEqual(since, null);
    if (this.#account !== null) Object.assign(this.#account, { deadline, leaseExpires });
    if (state === "draining") assert.equal(leaseExpires, null);
    else {
      assert.equal(deadline, null);
      assert.equal(relay.active, 0, "drained means that nothing is active");
      if (!this.#unrecorded && !this.#opening) assert.equal(this.disk.record?.state, "drained");
    }
  }

  /** What is true once everything has come to rest. */
  async checkAtRest(): Promise<void> {
    const { deadline: due, leaseExpires: ends } = this.proxy.drain.status;
    // If the disk was stuck for longer than that, it may take a second.
    if (this.#past(due) || this.#past(ends)) await this.pass(1000, false);
    this.check();
    const { drain, relay } = this.proxy;
    const { state, deadline, leaseExpires } = drain.status;
    assert.equal(relay.holding, state !== "open", "nobody is held while open");
    const record = this.disk.record;
    if (state === "open") assert.ok(record === null || this.#stray, "no record while open");
    else if (!this.#unrecorded) assert.equal(record?.state, state);
    const account = this.#account;
    assert.equal(account === null, state === "open");
    for (const waiting of this.#everybody) {
      const part = account?.waiting.has(waiting) || account?.notWaiting.has(waiting);
      const goesOn = part && !this.stopped;
      if (!goesOn) assert.equal(waiting.ended.length, 1, "who waits is told of the end");
      if (!goesOn || state === "drained") assert.equal(waiting.settled.length, 1);
    }
    if (this.stopped) return;
    assert.ok(!this.#past(leaseExpires), "a lease ends");
    const attached = account?.granted.some((one) => one.attached);
    if (attached) {
      assert.equal(account?.waiting.size, 1, "a drain ends with whom it is attached to");
    }
    if (state !== "draining") return;
    assert.notEqual(relay.active, 0, "draining means that something is active");
    const closing = account?.granted.some((one) => one.closeRemaining);
    assert.ok(closing || !this.#past(deadline), "a deadline ends it");
    const waited = account?.waiting.size !== 0 || account.granted.some((one) => !one.wait);
    assert.ok(waited, "a drain that nobody waits for ends");
  }

  /** In the end the owner can resume: at once, but for one resume for each refusal. */
  async resumeByOwner(): Promise<void> {
    await this.settle();
    while (this.#account !== null) {
      const owner = this.owner ?? "anybody";
      const absorbs = this.#refusal(owner) !== undefined;
      this.resume(owner, false);
      await this.settle();
      assert.equal(this.#account !== null, absorbs, "a resume ends it or is absorbed");
    }
    await this.checkAtRest();
    assert.equal(this.proxy.drain.status.state, "open");
    assert.equal(this.proxy.drain.status.owner, null);
  }

  #past(time: number | null): boolean {
    return time !== null && time <= this.clock.wall();
  }

  #goesOn(found: DrainRecord): boolean {
    const later = (time: string | null) => time === null || Date.parse(time) > this.clock.wall();
    return found.state === "drained"
      ? later(found.leaseExpires)
      : found.detached && later(found.deadline);
  }

  /**
   * For what the machine calls back: a crashed process does nothing any more, and what is found
   * wrong there must fail the test and not the machine.
   */
  #ofThisProcess<T>(handler: (value: T) => void): (value: T) => void {
    const process = this.#process;
    return (value) => {
      if (process !== this.#process) return;
      try {
        handler(value);
      } catch (error) {
        this.#failures.push(error);
      }
    };
  }

  #issue<T>(
    issued: Issued,
    answer: Promise<T>,
    done: (value: T) => void,
    refused: (error: DrainRefused) => void,
  ): void {
    this.#issued.push(issued);
    const over = () => this.#issued = this.#issued.filter((one) => one !== issued);
    answer.then(
      this.#ofThisProcess((value) => {
        over();
        done(value);
      }),
      this.#ofThisProcess((error) => {
        over();
        if (!(error instanceof DrainRefused)) throw error;
        refused(error);
      }),
    );
  }

  /** The command that is being carried out. */
  #being<Kind extends Issued["kind"]>(kind: Kind): Issued & { kind: Kind } {
    const [first] = this.#issued;
    assert.equal(first?.kind, kind);
    return first as Issued & { kind: Kind };
  }

  #refusal(owner: string): { owner: string; expires: number } | undefined {
    const now = this.clock.now();
    return this.#account?.refusals.find((one) => one.owner === owner && now < one.expires);
  }

  #checkRefusal(refused: DrainRefused): void {
    assert.notEqual(this.#account, null, "an open proxy refuses nobody");
    assert.match(refused.message, new RegExp(`"${this.owner}".* since .*proxyctl resume --owner`));
  }

  /** What ended by itself had a reason to. */
  #checkCause(cause: EndCause, from: string, account: Account): void {
    const granted = account.granted;
    if (cause === "deadline") {
      assert.ok(this.#past(account.deadline), "not before the deadline");
      assert.ok(!granted.some((one) => one.closeRemaining), "closing, a deadline is no failure");
    }
    if (cause === "lease") assert.ok(this.#past(account.leaseExpires), "not before the lease ends");
    if (cause !== "cancelled" || granted.some((one) => one.attached)) return;
    assert.equal(from, "draining", "once it is drained, nobody needs to wait");
    assert.equal(account.waiting.size, 0, "nobody waits");
    assert.ok(granted.every((one) => one.wait), "with --no-wait nobody needs to wait");
  }

  #onEffect(name: string, when: "before" | "after"): void {
    if (name === "hold" && when === "before") {
      assert.equal(this.disk.record?.state, "draining", "the record is written before it holds");
    }
    if (name === "open" && when === "before") {
      assert.ok(this.disk.record === null || this.#stray, "the record is removed before it opens");
    }
    if (name === "remove" && when === "after") {
      this.#stray = this.disk.text !== null;
      this.#opening = true;
    }
    if (name === "open" || name === "write") this.#opening = false;
    if (this.#starting) return;
    if (this.disk.record?.state === this.proxy.drain.status.state) this.#unrecorded = false;
    this.check();
  }

  #onCut(id: number): void {
    const account = this.#account;
    assert.ok(account !== null && this.proxy.drain.status.state === "draining");
    const { deadline } = this.proxy.drain.status;
    const passed = deadline !== null && deadline <= this.clock.wall();
    const limit = account.granted.findLast((one) => one.closeIdle !== null)?.closeIdle ?? Infinity;
    const idleFor = this.proxy.relay.connections().find((one) => one.id === id)?.idle ?? 0;
    const mayCut = idleFor >= limit ||
      passed && account.granted.some((one) => one.closeRemaining);
    assert.ok(mayCut, "nothing is cut unless that was asked for");
  }

  #onSettled(waiting: Waiting, outcome: Outcome): void {
    waiting.settled.push(outcome);
    if (outcome.outcome !== "drained") return;
    assert.equal(this.proxy.relay.active, 0, "drained is told with nothing active");
    assert.equal(this.proxy.relay.holding, true);
    if (!this.#unrecorded) assert.equal(this.disk.record?.state, "drained");
  }

  #onEvent(event: DrainEvent): void {
    const account = this.#account;
    const cut = this.proxy.relay.cut.length - (account?.cutBefore ?? 0);
    switch (event.type) {
      case "draining": {
        const { request } = this.#being("drain");
        assert.equal(event.joined, account !== null);
        if (account === null) {
          this.#account = {
            owner: request.owner,
            granted: [request],
            waiting: new Set(),
            notWaiting: new Set(),
            deadline: null,
            leaseExpires: null,
            refusals: [],
            cutBefore: this.proxy.relay.cut.length,
          };
        } else {
          assert.ok(account.owner === null || account.owner === request.owner, "one owner");
          const exclusive = request.exclusive || account.granted.some((one) => one.exclusive);
          assert.ok(account.owner === null || !exclusive, "an exclusive drain is not shared");
          account.owner = request.owner;
          account.granted.push(request);
        }
        break;
      }
      case "refused": {
        const { request } = this.#being("drain");
        assert.ok(account !== null && event.holder === account.owner);
        if (!request.exclusive && account.owner !== request.owner) break;
        const expires = this.clock.now() + ABSORB_WITHIN;
        account.refusals.push({ owner: request.owner, expires });
        break;
      }
      case "absorbed": {
        const { owner, force } = this.#being("resume");
        const used = this.#refusal(owner);
        assert.ok(account !== null && used !== undefined && !force, "absorbs only for a refusal");
        account.refusals = account.refusals.filter((one) => one !== used);
        break;
      }
      case "resumed":
        assert.ok(account !== null);
        assert.equal(event.cut, cut);
        this.#checkCause(event.cause, event.from, account);
        if (event.cause === "resumed" || event.cause === "forced") {
          const { owner, force } = this.#being("resume");
          assert.ok(force || account.owner === null || account.owner === owner);
          assert.ok(force || this.#refusal(owner) === undefined, "a refused one ends no drain");
        }
        this.#account = null;
        break;
      case "drained":
      case "over":
        assert.equal(event.cut, event.type === "over" && account === null ? event.cut : cut);
        break;
      case "record_failed":
        if (event.action === "write" && this.#starting) this.#unrecorded = true;
        break;
      case "restored":
        assert.equal(event.owner, this.owner);
        break;
      case "retargeted":
      case "abandoned":
        break;
    }
  }
}
