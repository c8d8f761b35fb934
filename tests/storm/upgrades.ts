import { writeError } from "../../lib/standard_streams.ts";
import { Failure } from "../../lib/failure.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import type { Scene } from "../support/scene.ts";
import type { HeldSocket } from "./held_socket.ts";
import { Load } from "./load.ts";
import type { Kind } from "./load/messages.ts";
import type { StormOptions } from "./options.ts";
import type { Replacements } from "./replaced_proxy.ts";
import { Random } from "./random.ts";
import { makeReceipt, type Receipt } from "./receipt.ts";
import { Service } from "./service.ts";

/** After the first, how many upgrades there are from one line of progress to the next. */
const TELL_EVERY = 10;

/** The storm: services, each behind a proxy, the load, and upgrade after upgrade. */
export class Storm implements Disposable {
  readonly #socket: HeldSocket | null;
  readonly #options: StormOptions;
  readonly #started = performance.now();
  readonly #load: Load;
  readonly #services: Service[];

  private constructor(scene: Scene, options: StormOptions, socket: HeldSocket | null) {
    this.#options = options;
    this.#socket = socket;
    this.#load = new Load();
    const random = new Random(options.seed);
    const service = (kind: Kind, socket: HeldSocket | null = null) =>
      new Service({
        ...{ kind, scene, socket, load: this.#load, random: random.fork() },
        replaceProxy: options.replaceProxies,
        threads: options.threads,
        standstill: { before: Math.ceil(options.upgrades / 2), time: options.standstill },
      });
    this.#services = [service("hello"), service("bulk")];
    if (options.keepAlive > 0) this.#services.push(service("staying"));
    if (socket !== null) this.#services.push(service("activated", socket));
  }

  /** Prepares it. @throws {Failure} where proxies are to be replaced, and cannot be */
  static async prepare(scene: Scene, options: StormOptions): Promise<Storm> {
    if (!options.replaceProxies) return new Storm(scene, options, null);
    const no = whyNoEpoll();
    if (no !== null) throw new Failure(`Proxies cannot be replaced here: ${no}`);
    // Not before: what it is made of can only be loaded where it can run.
    const { HeldSocket } = await import("./held_socket.ts");
    return new Storm(scene, options, new HeldSocket());
  }

  /** Runs it to its end. @throws {Failure} when an upgrade fails, or the time is over */
  async run(): Promise<void> {
    const { limit, upgrades, clients, keepAlive, seed, replaceProxies } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Failure(`The storm did not end within ${limit / 1000} s`)),
      limit,
    );
    const work = async () => {
      const ports = Object.fromEntries(
        await Promise.all(this.#services.map(async (one) => [one.kind, await one.start()])),
      );
      await this.#load.begin({ ports, clients, keepAlive, seed, longStreams: replaceProxies });
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
      services: this.#services.length,
      replacements: this.#replacements,
      held: this.#services.reduce((sum, service) => sum + service.held, 0),
      drainTimes: this.#services.flatMap((service) => service.drainTimes(lastCloses)),
      duration: performance.now() - this.#started,
    });
  }

  [Symbol.dispose](): void {
    this.#load[Symbol.dispose]();
    this.#socket?.[Symbol.dispose]();
  }

  get #upgrades(): number {
    return Math.min(...this.#services.map((service) => service.upgrades));
  }

  /** Of all proxies. */
  get #replacements(): Replacements {
    const counts = { takenOver: 0, parked: 0, killed: 0, moved: 0 };
    for (const { replacements } of this.#services) {
      for (const key of Object.keys(counts) as (keyof Replacements)[]) {
        counts[key] += replacements[key];
      }
    }
    return counts;
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
