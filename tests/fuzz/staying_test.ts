import fc from "fast-check";
import assert from "node:assert/strict";
import type { Address } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import type { Relay } from "../../lib/relay/relay.ts";
import { plainOptions, UNHEARD } from "../relay/plain.ts";
import { quickEnough, type Talker } from "../relay/quick_enough.ts";
import { type Kind, RELAYS } from "../relay/relays.ts";
import { eventually, pause } from "../relay/waiting.ts";
import { brieflyOr, isLong } from "../support/long.ts";
import { type Behaviour, play } from "./staying/client.ts";
import { LineService } from "./staying/service.ts";

/** What is done to the relay meanwhile. */
type Deed =
  /** A drain, while which the service is replaced by the next version. */
  | "upgrade"
  /** A drain that is given up after a while. */
  | "give up"
  /** New connections go to the next version at once, and quiet ones follow. */
  | "retarget"
  /** Another relay goes on with everything, told ahead of connections or not. */
  | "move"
  | "move ahead"
  /** Another relay is told ahead, and is gone before it has everything. */
  | "give up a move";

const step = fc.oneof(
  fc.record({
    ask: fc.integer({ min: 1, max: 4 }),
    inPieces: fc.integer({ min: 1, max: 3 }),
    delay: fc.constantFrom(0, 0, 0.3, 1.5),
    pieces: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ rest: fc.constantFrom(0, 0.2, 1, 2.5) }),
);
const behaviour = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
  ending: fc.constantFrom("end" as const, "end" as const, "half-close", "reset", "leave"),
});
const deeds = fc.array(
  fc.record({
    deed: fc.constantFrom<Deed>(
      "upgrade",
      "upgrade",
      "give up",
      "retarget",
      "move",
      "move ahead",
      "give up a move",
    ),
    after: fc.constantFrom(0, 0.3, 1),
  }),
  { minLength: 2, maxLength: 8 },
);

const RUNS = brieflyOr(2, 40);

// The portable relay has one thread, which here is that of the clients and services as well: whether a
// silence is theirs or the machine's, it cannot tell. The conformance tests have it.
for (const kind of isLong ? ["epoll", "epoll in 2 threads"] as const : ["epoll"] as const) {
  Deno.test({
    name: `${kind}: whatever clients and services do, and is done to the relay, each question is ` +
      "answered once, by one service, and none is there once it is drained",
    ignore: whyNoEpoll() !== null,
    fn: () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(behaviour, { minLength: 1, maxLength: 12 }),
          deeds,
          (behaviours, deeds) =>
            quickEnough((_, talker) => perform(kind, behaviours, deeds, talker)),
        ),
        { numRuns: RUNS, endOnFailure: true },
      ),
  });
}

async function perform(
  kind: Kind,
  behaviours: readonly Behaviour[],
  deeds: readonly { readonly deed: Deed; readonly after: number }[],
  talker: Talker,
): Promise<void> {
  await using stage = await Stage.set(kind, talker);
  const { address } = stage;
  const asked = new Map<string, boolean>();
  const plays = Promise.all(
    behaviours.map((behaviour, name) => play(behaviour, { name, address, talker, asked })),
  );
  const done = (async () => {
    for (const { deed, after } of deeds) {
      await pause(after * talker.quiet);
      if (!stage.isOver) await stage.does(deed);
    }
  })();
  try {
    await Promise.race([Promise.all([done, plays]), talker.wasTooSlow]);
  } finally {
    // Whatever failed, the relay is nobody else's when it is shut down.
    stage.isOver = true;
    await Promise.allSettled([done]);
  }
  stage.isOver = false;
  await stage.relay.hold({ suspendQuiet: talker.quiet, closeEnded: null });
  await stage.drained();
  stage.check(asked);
}

/** A relay, and all versions of its service. */
class Stage implements AsyncDisposable {
  /** Whether nothing is waited for any more. */
  isOver = false;
  readonly #services: LineService[] = [];

  private constructor(
    readonly address: Address,
    public relay: Relay,
    private readonly talker: Talker,
    first: LineService,
  ) {
    this.#services.push(first);
  }

  static async set(kind: Kind, talker: Talker): Promise<Stage> {
    const first = await LineService.start(0, talker);
    const options = { ...plainOptions(first.address), threads: kind === "epoll" ? 1 : 2 };
    const relay = await RELAYS[kind]({ host: "127.0.0.1", port: 0 }, options, UNHEARD);
    await relay.open();
    return new Stage(relay.listen, relay, talker, first);
  }

  async does(deed: Deed): Promise<void> {
    const { quiet } = this.talker;
    switch (deed) {
      case "upgrade":
        await this.relay.hold({ suspendQuiet: quiet, closeEnded: null });
        await this.drained();
        this.relay.retarget((await this.#next()).address);
        await this.relay.open();
        return;
      case "give up":
        await this.relay.hold({ suspendQuiet: quiet, closeEnded: null });
        await pause(quiet);
        await this.relay.open();
        return;
      case "retarget":
        this.relay.retarget((await this.#next()).address, quiet);
        return;
      case "move":
      case "move ahead":
      case "give up a move":
        await this.#move(deed);
    }
  }

  /** Waits until the relay has no active connection: then no service has one. */
  async drained(): Promise<void> {
    await eventually(() => this.isOver || this.relay.active === 0, "the end of what is active");
    await eventually(
      () => this.isOver || this.#services.every(({ open }) => open === 0),
      "the end of the services' connections",
    );
  }

  /** @param asked what clients have asked, by id, and whether they must have been answered */
  check(asked: ReadonlyMap<string, boolean>): void {
    assert.deepEqual(this.#services.flatMap(({ wrongs }) => wrongs), []);
    for (const [id, isAnswered] of asked) {
      const times = this.#services.reduce((sum, service) => sum + (service.asked.get(id) ?? 0), 0);
      assert(isAnswered ? times === 1 : times <= 1, `${id} was asked ${times} times`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay.shutDown();
    for (const service of this.#services) await service[Symbol.asyncDispose]();
  }

  async #next(): Promise<LineService> {
    const service = await LineService.start(this.#services.length, this.talker);
    this.#services.push(service);
    return service;
  }

  /** @param how whether the next relay is told ahead, and whether it comes to that */
  async #move(how: "move" | "move ahead" | "give up a move"): Promise<void> {
    if (this.relay.kind !== "epoll") return;
    // Not before: what they are made of can only be loaded where it can run.
    const { EpollRelay } = await import("../../lib/relay/epoll/relay.ts");
    const { startWorkers } = await import("../../lib/relay/epoll/workers.ts");
    const { duplicate } = await import("../../lib/linux/duplicate.ts");
    const { copied } = await import("../relay/epoll/copied.ts");
    assert(this.relay instanceof EpollRelay);
    const first = this.relay;
    const options = { ...plainOptions(first.upstream), threads: 3 - first.threads };
    const { foundation } = first.moving;
    const listeners = foundation.listeners.map(duplicate);
    const workers = await startWorkers(options.threads);
    const second = EpollRelay.found({ ...foundation, listeners }, options, UNHEARD, workers);
    for (let round = 0; how !== "move" && round < 2; round++) {
      await first.moving.copy(round === 0, (told) => second.moving.take(copied(told)));
      await second.moving.taken();
      await pause(this.talker.quiet / 2);
    }
    if (how === "give up a move") {
      first.moving.forget();
      return await second.leave();
    }
    await second.complete(copied(await first.freeze(how === "move ahead")));
    await second.thaw();
    await second.open();
    await first.leave();
    this.relay = second;
  }
}
