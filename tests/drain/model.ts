/**
 * What must be true of a drain, whatever happens: an account of the drain kept by the simplest
 * means, against which every step of the real one is held.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../lib/address.ts";
import { ABSORB_WITHIN, COME_BACK_WITHIN } from "../../lib/drain/drain.ts";
import type { DrainRecord } from "../../lib/drain/record.ts";
import type { DrainSnapshot } from "../../lib/drain/snapshot.ts";
import {
  type DrainEvent,
  DrainRefused,
  type DrainStatus,
  type EndCause,
  type Outcome,
} from "../../lib/drain/types.ts";
import type { DrainRequest } from "../../lib/drain/request.ts";
import type { Waiter } from "../../lib/drain/waiter.ts";
import { COMMAND_UPSTREAM, FakeProxy } from "./fake_proxy.ts";
import { FakeClock, FakeDisk, idle } from "./fakes.ts";
import { IoQueue } from "./io_queue.ts";

/** A command that was given, and is not answered yet. */
type Issued =
  | { readonly kind: "drain"; readonly request: DrainRequest }
  | { readonly kind: "resume"; readonly owner: string; readonly force: boolean }
  | { readonly kind: "release"; readonly owner: string };

/** Somebody who waits, and what it was told. */
interface Waiting {
  readonly token: string;
  readonly attached: boolean;
  /** Whether it is still to say that the service lets its clients go. */
  releases: boolean;
  /** `null` until it comes back to the process that its drain has moved to. */
  waiter: Waiter | null;
  coming: boolean;
  settled: Outcome[];
  ended: Outcome[];
}

/** A drain that stands still. */
interface Frozen {
  readonly snapshot: DrainSnapshot;
  readonly status: DrainStatus;
  readonly now: number;
  readonly wall: number;
}

/** The drain that is going on, as far as the model knows. */
interface Account {
  owner: string | null;
  readonly granted: DrainRequest[];
  /** Those who have not left. */
  readonly waiting: Set<Waiting>;
  /** Those who asked with `--no-wait`. */
  readonly notWaiting: Set<Waiting>;
  /** Whether somebody has said that the service lets its clients go. */
  isReleased: boolean;
  /** Whether somebody was told that it is drained, if only by an earlier process. */
  isRelied: boolean;
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
  /** A freeze was asked for. */
  #freezing = false;
  #frozen: Frozen | null = null;
  /** Until when this process waits for the waiters of the one before. */
  #awayUntil = -Infinity;

  constructor(readonly closeLater: boolean) {}

  /** Those who have not left. */
  get present(): Waiting[] {
    return [...this.#account?.waiting ?? [], ...this.#account?.notWaiting ?? []];
  }

  /** Those who have not come back to this process, and are not on their way. */
  get away(): Waiting[] {
    return this.#everybody.filter(({ waiter, coming }) => waiter === null && !coming);
  }

  /** Whether the drain stands still, or soon will. */
  get freezing(): boolean {
    return this.#freezing;
  }

  get owner(): string | null {
    return this.#account?.owner ?? null;
  }

  /** A process starts, with what the last one left. */
  async start(startDrained: boolean, commandUpstream = COMMAND_UPSTREAM): Promise<void> {
    this.#begin(commandUpstream);
    this.#everybody = [];
    this.#stray = this.#unrecorded = false;
    this.#awayUntil = -Infinity;
    const found = this.disk.record;
    const kept = found !== null && this.#goesOn(found) ? found : null;
    this.#account = kept === null && !startDrained ? null : {
      owner: kept?.owner ?? null,
      granted: [],
      waiting: new Set(),
      notWaiting: new Set(),
      isReleased: false,
      isRelied: true,
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

  /** The drain is asked to stand still. */
  freeze(): void {
    if (this.#freezing) return;
    this.#freezing = true;
    this.proxy.drain.freeze().then(
      this.#ofThisProcess((snapshot) => {
        const { status } = this.proxy.drain;
        this.#frozen = { snapshot, status, now: this.clock.now(), wall: this.clock.wall() };
      }),
      this.#ofThisProcess((error) => {
        this.#freezing = false;
        assert.ok(error instanceof DrainRefused && error.code === "stopping" && this.stopped);
      }),
    );
  }

  /** It goes on, if it stands still. */
  thaw(): void {
    if (this.#frozen === null) return;
    this.#frozen = null;
    this.#freezing = false;
    this.proxy.drain.thaw();
  }

  /** Another process takes over, if the drain can stand still. */
  async move(commandUpstream = COMMAND_UPSTREAM): Promise<void> {
    this.freeze();
    await idle();
    const frozen = this.#frozen;
    if (frozen === null) return;
    const { snapshot, status } = frozen;
    const from = this.proxy;
    from.drain.moved();
    await idle();
    this.check();
    assert.deepEqual(this.#issued, [], "commands that waited are refused");
    this.#everybody = this.#everybody.filter((waiting) => this.#comesAlong(waiting, frozen));
    const present = new Set(this.#everybody);
    if (this.#account !== null) {
      const { waiting, notWaiting } = this.#account;
      for (const one of [...waiting, ...notWaiting]) {
        if (present.has(one)) continue;
        waiting.delete(one);
        notWaiting.delete(one);
      }
    }

    const wall = this.clock.wall();
    this.clock = new FakeClock(this.clock.now() % 977, wall);
    this.#begin(commandUpstream);
    this.#awayUntil = this.clock.now() + COME_BACK_WITHIN;
    if (this.#account !== null) {
      if (status.state === "drained") this.#account.isRelied = true;
      this.#account.refusals = this.#account.refusals.map(({ owner, expires }) => ({
        owner,
        expires: expires + this.clock.now() - frozen.now,
      }));
    }
    void this.proxy.takeOver(from, snapshot);
    await this.settle();
    this.#starting = false;
    const target = snapshot.commandUpstream === commandUpstream ? snapshot.upstream : null;
    assert.equal(formatAddress(this.proxy.relay.upstream), target ?? commandUpstream);
    if (this.proxy.drain.status.state === status.state) {
      const later = (time: number | null) => time === null ? null : time + wall - frozen.wall;
      assert.deepEqual(this.proxy.drain.status, {
        ...status,
        deadline: later(status.deadline),
        leaseExpires: later(status.leaseExpires),
      }, "a move changes nothing");
    }
    this.check();
  }

  /** Somebody comes back who waited in the process before. */
  comeBack(waiting: Waiting): void {
    waiting.coming = true;
    this.proxy.drain.comeBack(waiting.token).then(
      this.#ofThisProcess((waiter) => {
        waiting.coming = false;
        // It left before it was back.
        if (!this.#everybody.includes(waiting)) return waiter.leave();
        this.#listen(waiting, waiter);
      }),
      this.#ofThisProcess((error) => {
        waiting.coming = false;
        assert.ok(error instanceof DrainRefused);
        if (error.code === "moved") return;
        if (error.code === "stopping") assert.ok(this.stopped);
        else assert.ok(this.clock.now() >= this.#awayUntil, "who comes back in time is known");
        this.#forget(waiting);
      }),
    );
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
      const { token, attached } = waiter;
      const waiting: Waiting = {
        token,
        attached,
        releases: waiter.releases,
        waiter,
        coming: false,
        settled: [],
        ended: [],
      };
      this.#listen(waiting, waiter);
      this.#everybody.push(waiting);
      if (request.wait) this.#account?.waiting.add(waiting);
      else this.#account?.notWaiting.add(waiting);
    }, (refused) => {
      if (refused.code === "stopping") assert.ok(this.stopped);
      if (refused.code === "moved") assert.ok(this.#frozen !== null);
      if (refused.code === "held_by_another") this.#checkRefusal(refused);
    });
  }

  resume(owner: string, force: boolean): void {
    this.#issue({ kind: "resume", owner, force }, this.proxy.drain.resume(owner, force), (done) => {
      assert.equal(done.changed, done.message.startsWith("Resumed"));
      assert.equal(done.absorbed, done.message.startsWith("Nothing was resumed"));
    }, (refused) => {
      if (refused.code === "stopping") return assert.ok(this.stopped);
      if (refused.code === "moved") return assert.ok(this.#frozen !== null);
      this.#checkRefusal(refused);
      assert.notEqual(this.owner, owner, "an owner can resume");
      assert.equal(force, false, "force can resume");
      assert.equal(this.#refusal(owner), undefined, "a refused one can resume");
    });
  }

  release(owner: string): void {
    this.#issue({ kind: "release", owner }, this.proxy.drain.released(owner), () => {
      if (this.#account === null) return;
      this.#account.isReleased = true;
      for (const one of this.#account.waiting) one.releases = false;
    }, (refused) => {
      if (refused.code === "stopping") return assert.ok(this.stopped);
      if (refused.code === "moved") return assert.ok(this.#frozen !== null);
      if (refused.code === "not_draining") return;
      this.#checkRefusal(refused);
      assert.notEqual(this.owner, owner, "an owner can release");
    });
  }

  leave(waiting: Waiting): void {
    this.#account?.waiting.delete(waiting);
    this.#account?.notWaiting.delete(waiting);
    if (waiting.waiter !== null) waiting.waiter.leave();
    else this.#forget(waiting);
  }

  /** Those who can be told all that they wait for. */
  get hearing(): Waiting[] {
    const isDrained = ({ settled }: Waiting) => settled[0]?.outcome === "drained";
    return [
      ...[...this.#account?.waiting ?? []].filter((one) => isDrained(one) && !one.attached),
      ...this.#account?.notWaiting ?? [],
    ];
  }

  /** One of those is told. */
  hear(waiting: Waiting): void {
    if (this.#account?.waiting.has(waiting)) this.#account.isRelied = true;
    waiting.waiter?.told();
    this.#account?.notWaiting.delete(waiting);
    this.#forget(waiting);
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
    if (this.#frozen) {
      assert.deepEqual(drain.status, this.#frozen.status, "frozen, it stands still");
    }
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
    const awayIsOver = this.#awayUntil > -Infinity && this.clock.now() >= this.#awayUntil;
    if (awayIsOver) this.#awayUntil = -Infinity;
    // If the disk was stuck for longer than that, it may take a second.
    if (this.#past(due) || this.#past(ends) || awayIsOver) await this.pass(1000, false);
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
      if (waiting.waiter === null) continue;
      const part = account?.waiting.has(waiting) || account?.notWaiting.has(waiting);
      const goesOn = part && !this.stopped;
      if (!goesOn) assert.equal(waiting.ended.length, 1, "who waits is told of the end");
      if (!goesOn || state === "drained") assert.equal(waiting.settled.length, 1);
    }
    if (this.stopped) return;
    assert.ok(!this.#past(leaseExpires), "a lease ends");
    const attached = account?.granted.some((one) => one.attached);
    const someMayCome = this.clock.now() < this.#awayUntil;
    if (account !== null && attached && !someMayCome) {
      assert.equal(this.#waitingFor(account).length, 1, "a drain ends with whom it is attached to");
    }
    if (account === null) return;
    const isWanted = this.#waitingFor(account).length > 0 || account.isRelied ||
      account.granted.some((one) => !one.wait);
    assert.ok(isWanted || someMayCome, "a drain that nobody waits for, or was told of, ends");
    if (state !== "draining") return;
    // Who has not come back, and never will, may still be waited for.
    const releasing = someMayCome || this.#waitingFor(account).some(({ releases }) => releases);
    assert.ok(releasing || relay.active > 0, "draining means that something is waited for");
    const closing = !releasing && this.#mayClose(account);
    assert.ok(closing || !this.#past(deadline), "a deadline ends it");
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

  /** All that is the same for each process that starts. */
  #begin(commandUpstream: string): void {
    this.#process++;
    const onEffect = this.#ofThisProcess<{ name: string; when: "before" | "after" }>(
      ({ name, when }) => this.#onEffect(name, when),
    );
    this.#io = new IoQueue((name, when) => onEffect({ name, when }));
    this.#issued = [];
    this.stopped = false;
    this.#starting = true;
    this.#opening = false;
    this.#freezing = false;
    this.#frozen = null;
    this.proxy = new FakeProxy(this.clock, this.disk, {
      perform: this.#io.perform,
      closeLater: this.closeLater,
      commandUpstream,
      report: this.#ofThisProcess((event: DrainEvent) => this.#onEvent(event)),
    });
    this.proxy.relay.beforeClose = this.#ofThisProcess((id) => this.#onCut(id));
  }

  /** Hears what a waiter is told. */
  #listen(waiting: Waiting, waiter: Waiter): void {
    waiting.waiter = waiter;
    const late = waiter.settledAs !== null;
    waiter.settled.then(this.#ofThisProcess((outcome) => {
      waiting.settled.push(outcome);
      if (!late) this.#onSettled(outcome);
    }));
    waiter.ended.then(this.#ofThisProcess((outcome) => waiting.ended.push(outcome)));
  }

  /** Nobody hears of this one any more. */
  #forget(waiting: Waiting): void {
    this.#everybody = this.#everybody.filter((one) => one !== waiting);
    this.#account?.waiting.delete(waiting);
  }

  /** Whether it has something to hear in the process that the drain moves to. */
  #comesAlong(waiting: Waiting, { snapshot, now }: Frozen): boolean {
    const isExpected = snapshot.waiters.some(({ token }) => token === waiting.token);
    if (waiting.waiter === null) {
      assert.ok(isExpected || now >= this.#awayUntil, "who may still come back may do so there");
      return isExpected;
    }
    assert.equal(waiting.ended.length, 1, "who waits is told of the move");
    const { waiting: present, notWaiting } = this.#account ?? {};
    if (notWaiting?.has(waiting)) assert.equal(isExpected, false);
    if (!present?.has(waiting)) return false;
    assert.equal(waiting.ended[0]?.outcome, "moved");
    const isDone = waiting.settled[0]?.outcome !== "moved" && !waiting.attached;
    assert.equal(isExpected, !isDone, "who waits may come back");
    Object.assign(waiting, { waiter: null, settled: [], ended: [] });
    return isExpected;
  }

  /** Those who wait, but for those who did not come back in time. */
  #waitingFor(account: Account): Waiting[] {
    const someMayCome = this.clock.now() < this.#awayUntil;
    return [...account.waiting].filter(({ waiter }) => waiter !== null || someMayCome);
  }

  /** Whether what is left at the deadline may be cut. */
  #mayClose({ granted, isReleased }: Account): boolean {
    return isReleased || granted.some((one) => one.closeRemaining);
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
    assert.match(refused.message, new RegExp(`"${this.owner}".* for .*proxyctl resume --owner`));
  }

  /** What ended by itself had a reason to. */
  #checkCause(cause: EndCause, account: Account): void {
    const granted = account.granted;
    if (cause === "deadline") {
      assert.ok(this.#past(account.deadline), "not before the deadline");
      const releasing = granted.some((one) => one.release);
      assert.ok(releasing || !this.#mayClose(account), "closing, a deadline is no failure");
    }
    if (cause === "lease") assert.ok(this.#past(account.leaseExpires), "not before the lease ends");
    if (cause !== "cancelled" || granted.some((one) => one.attached)) return;
    assert.equal(account.isRelied, false, "once somebody was told, nobody needs to wait");
    assert.deepEqual(this.#waitingFor(account), [], "nobody waits");
    assert.ok(granted.every((one) => one.wait), "with --no-wait nobody needs to wait");
  }

  #onEffect(name: string, when: "before" | "after"): void {
    assert.ok(name === "closed" || this.#frozen === null, "frozen, it does nothing");
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
    const isBeing = this.#issued[0]?.kind === "release";
    const mayCut = idleFor >= limit || passed && (this.#mayClose(account) || isBeing);
    assert.ok(mayCut, "nothing is cut unless that was asked for");
  }

  #onSettled(outcome: Outcome): void {
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
            isReleased: false,
            isRelied: false,
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
        this.#checkCause(event.cause, account);
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
      case "taken_over":
        assert.notEqual(account, null);
        assert.equal(event.owner, this.owner);
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
