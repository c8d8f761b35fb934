/**
 * A proxy that is looked at, for all who want to see it: it is asked once, however many these are, and
 * not at all when there is nobody.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { ConnectionView, PeerView, Status } from "../control/api.ts";
import { ControlClient } from "../control/client.ts";
import type { PastDrain } from "../drain/past_drain.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { connectionsIn, drainsIn, peersIn, statusIn } from "./received.ts";
import { Samples } from "./samples.ts";
import { Witness } from "./witness.ts";

/** How long a proxy may take to answer, in milliseconds. */
const PATIENCE = 2000;

/** How often it is looked at; what happens is to be told within a second. In milliseconds. */
export const EVERY = 800;

/** How often one is looked for that has never answered, in milliseconds. */
const UNSEEN_EVERY = 3000;

/** How much of the time a list of connections may take at the most: one part in so many. */
const LIST_SHARE = 50;

/** How many connections are looked at in a drain, those that it waits for first. */
const MOST_LOOKED_AT = 40;

/** Which connections somebody wants to see. */
export interface Wanted {
  readonly sort: "age" | "idle" | "bytes";
  readonly limit: number;
  readonly group: boolean;
}

/** Connections that were listed: one by one, or by peer. */
export type Listed =
  | { readonly connections: readonly ConnectionView[] }
  | { readonly peers: readonly PeerView[] };

/** A list that somebody wants to see. */
interface List {
  listed: Listed | null;
  /** When it is to be asked for again, by `performance.now()`. */
  due: number;
}

/** A proxy, as it was when it was looked at last. */
export class Watched {
  /** How it is; how it was, if it does not answer now; `null` if it never has. */
  status: Status | null = null;
  /** Why it does not answer; `null` if it does. */
  failure: Failure | null = null;
  /** The drains that are decided, the oldest first. */
  history: readonly PastDrain[] = [];
  /** Whether it is not shown, because it is another user's. */
  isOthers = false;
  readonly samples = new Samples();
  readonly witness = new Witness();
  /** When it answered last, by `performance.now()`. */
  answeredAt = performance.now();
  readonly #client: ControlClient;
  readonly #lists = new Map<string, List>();
  readonly #followers = new Map<() => void, Wanted | null>();
  #lookedAt = -Infinity;
  #looking: Promise<void> | null = null;
  #isFollowed = false;
  #lastDrain = "";

  /**
   * @param directory its runtime directory
   * @param name by which it is found on the page
   * @param ofOthers whether it may be shown if it is another user's
   */
  constructor(
    readonly directory: string,
    readonly name: string,
    private readonly ofOthers: boolean,
  ) {
    this.#client = new ControlClient(directory, PATIENCE);
  }

  /** Whether its user may not ask it. */
  get isDenied(): boolean {
    return this.failure?.exitCode === EXIT.permission;
  }

  /** Looks at it, unless that was done so many milliseconds ago. Does not throw. */
  async look(age = EVERY): Promise<void> {
    if (performance.now() - this.#lookedAt < age) return;
    this.#looking ??= this.#look().finally(() => this.#looking = null);
    await this.#looking;
  }

  /** The connections that somebody wants to see, as they are now; or were, if listing takes long. */
  async list(wanted: Wanted): Promise<Listed | null> {
    await this.#askWhenDue(wanted);
    return this.listed(wanted);
  }

  /** The connections as they were listed last. */
  listed(wanted: Wanted): Listed | null {
    return this.#lists.get(keyOf(wanted))?.listed ?? null;
  }

  /** Its metrics; `null` if it has none now. */
  async metrics(): Promise<string | null> {
    return await this.#client.text("GET", "/metrics").catch(() => null);
  }

  /**
   * Has it looked at again and again.
   *
   * @param wanted the connections to look at; none if it is not given
   * @param changed is called each time
   * @returns ends that
   */
  follow(wanted: Wanted | null, changed: () => void): () => void {
    this.#followers.set(changed, wanted);
    if (!this.#isFollowed) void this.#followThrough();
    return () => {
      this.#followers.delete(changed);
      const wants = new Set([...this.#followers.values()].map((one) => one && keyOf(one)));
      for (const key of this.#lists.keys()) if (!wants.has(key)) this.#lists.delete(key);
    };
  }

  async #followThrough(): Promise<void> {
    this.#isFollowed = true;
    while (this.#followers.size > 0) {
      const began = performance.now();
      await this.look(0);
      for (const wanted of new Set(this.#followers.values())) {
        if (wanted !== null) await this.#askWhenDue(wanted);
      }
      for (const changed of [...this.#followers.keys()]) changed();
      const every = this.status === null ? UNSEEN_EVERY : EVERY;
      await delay(Math.max(every / 2, every - (performance.now() - began)));
    }
    this.#isFollowed = false;
  }

  async #look(): Promise<void> {
    try {
      // Each time: a directory may be made anew, by somebody else.
      this.isOthers = !this.ofOthers && !await isOwn(this.directory);
      if (this.isOthers) throw this.#notShown();
      const status = statusIn(await this.#client.json("GET", "/v1/status"));
      this.failure = null;
      this.status = status;
      this.answeredAt = performance.now();
      this.samples.add(status, Date.now());
      if (status.since !== null) await this.#witness(status);
      await this.#learn(status);
    } catch (error) {
      this.failure = error instanceof Failure ? error : new Failure(messageOf(error));
      this.samples.addGap(Date.now());
      this.#lists.clear();
    } finally {
      this.#lookedAt = performance.now();
    }
  }

  #notShown(): Failure {
    this.status = null;
    this.history = [];
    return new Failure(
      `The proxy at ${this.directory} is another user's: that needs --password-file`,
      EXIT.permission,
    );
  }

  /** Who is waited for, and who is held; a keeper does not list them. */
  async #witness(status: Status): Promise<void> {
    const path = `/v1/connections?limit=${MOST_LOOKED_AT}`;
    const answer = status.state === "parked" ? null : await this.#client.json("GET", path);
    this.witness.look(status, connectionsIn(answer, MOST_LOOKED_AT), Date.now());
  }

  /** What became of drains, if that is news. */
  async #learn({ lastDrain }: Status): Promise<void> {
    const last = JSON.stringify(lastDrain);
    if (last === this.#lastDrain) return;
    this.history = drainsIn(await this.#client.json("GET", "/v1/history"));
    this.#lastDrain = last;
  }

  #listOf(wanted: Wanted): List {
    const key = keyOf(wanted);
    const list = this.#lists.get(key) ?? { listed: null, due: -Infinity };
    this.#lists.set(key, list);
    return list;
  }

  /** Not one that does not answer, or is another user's by now. */
  async #askWhenDue(wanted: Wanted): Promise<void> {
    if (this.failure !== null) return;
    const list = this.#listOf(wanted);
    if (performance.now() >= list.due) await this.#ask(wanted, list);
  }

  /** However many connections there are, listing them takes only a part of the time. */
  async #ask(wanted: Wanted, list: List): Promise<void> {
    const began = performance.now();
    const { sort, limit, group } = wanted;
    const query = group ? `group=peer&limit=${limit}` : `sort=${sort}&limit=${limit}`;
    const answer = await this.#client.json("GET", `/v1/connections?${query}`).catch(() => null);
    // One of an earlier version lists all, and no peers.
    if (answer === null) list.listed = null;
    else if (group) list.listed = { peers: peersIn(answer, limit) };
    else list.listed = { connections: connectionsIn(answer, limit) };
    const now = performance.now();
    list.due = now + LIST_SHARE * (now - began);
  }
}

function keyOf({ sort, limit, group }: Wanted): string {
  return `${group} ${sort} ${limit}`;
}

/** Whether a runtime directory is this user's, or is not there. */
export async function isOwn(directory: string): Promise<boolean> {
  try {
    return (await Deno.stat(directory)).uid === Deno.uid();
  } catch {
    return true;
  }
}
