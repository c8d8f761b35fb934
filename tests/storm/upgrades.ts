import { Failure, writeError } from "../../lib/command_line.ts";
import type { Scene } from "../support/scene.ts";
import { Load } from "./load.ts";
import type { StormOptions } from "./options.ts";
import { Random } from "./random.ts";
import { makeReceipt, type Receipt } from "./receipt.ts";
import { Service } from "./service.ts";

/** After the first, how many upgrades there are from one line of progress to the next. */
const TELL_EVERY = 10;

/** The storm: two services, each behind a proxy, the load, and upgrade after upgrade. */
export class Storm implements Disposable {
  readonly #scene: Scene;
  readonly #options: StormOptions;
  readonly #started = performance.now();
  readonly #load: Load;
  readonly #services: Service[];

  constructor(scene: Scene, options: StormOptions) {
    this.#scene = scene;
    this.#options = options;
    this.#load = new Load();
    const random = new Random(options.seed);
    this.#services = (["hello", "bulk"] as const).map((kind) =>
      new Service(kind, scene, this.#load, random.fork())
    );
  }

  /** Runs it to its end. @throws {Failure} when an upgrade fails, or the time is over */
  async run(): Promise<void> {
    const { limit, upgrades, clients, seed } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Failure(`The storm did not end within ${limit / 1000} s`)),
      limit,
    );
    const work = async () => {
      const [hello, bulk] = await Promise.all(this.#services.map((service) => service.start()));
      await this.#load.begin({ ports: { hello: hello ?? 0, bulk: bulk ?? 0 }, clients, seed });
      await Promise.all(this.#services.map(async (service) => {
        while (service.upgrades < upgrades) {
          await service.upgrade();
          this.#tell();
        }
      }));
      await this.#load.end();
      await Promise.all(this.#services.map((service) => service.stop()));
      for (const service of this.#services) service.warnings.forEach(writeError);
    };
    try {
      await Promise.race([work(), this.#load.broken, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The receipt so far. */
  async receipt(): Promise<Receipt> {
    const tally = await this.#load.tally();
    const lastCloses = await this.#load.lastCloses();
    return makeReceipt(this.#options, tally, {
      upgrades: this.#upgrades,
      held: this.#services.reduce((sum, service) => sum + service.held, 0),
      drainTimes: this.#services.flatMap((service) => service.drainTimes(lastCloses)),
      duration: performance.now() - this.#started,
    });
  }

  [Symbol.dispose](): void {
    this.#load[Symbol.dispose]();
  }

  get #upgrades(): number {
    return Math.min(...this.#services.map((service) => service.upgrades));
  }

  #told = 0;

  #tell(): void {
    const upgrades = this.#upgrades;
    const isNews = upgrades !== this.#told && (upgrades === 1 || upgrades % TELL_EVERY === 0);
    if (!isNews) return;
    this.#told = upgrades;
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    writeError(`${seconds.padStart(6)} s  ${upgrades} of ${this.#options.upgrades} upgrades`);
  }
}
