import { formatAddress } from "../../address.ts";
import { decodeHeader, type Endpoints } from "../proxy_protocol.ts";
import { catchUp } from "./catching_up.ts";
import type { Inbox } from "./inbox.ts";

/** The longest time a timer can be set to. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The header of the PROXY protocol that a client begins with. */
export class ClientHeader {
  /** Whether its client is held for nothing else. */
  isNewcomers = false;
  readonly #clientSays: Inbox;
  readonly #timeout: number | null;
  readonly #refuse: (why: string) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isTaken = false;
  #endpoints: Endpoints | null = null;

  /**
   * @param clientSays keeps what the client says, from its first byte on
   * @param timeout how long it may take, in milliseconds; `null` is no limit
   * @param refuse is called once if it is missing, wrong or late
   */
  constructor(clientSays: Inbox, timeout: number | null, refuse: (why: string) => void) {
    this.#clientSays = clientSays;
    this.#timeout = timeout;
    this.#refuse = refuse;
  }

  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** What it said; `null` for nothing, or while it is not taken. */
  get endpoints(): Endpoints | null {
    return this.#endpoints;
  }

  /** Whom it named as the client, `HOST:PORT`; `null` for nobody. */
  get peer(): string | null {
    return this.#endpoints && formatAddress(this.#endpoints.source);
  }

  /** There is a while for it from now on. */
  expect(isNewcomer: boolean): void {
    this.hold();
    if (this.#isTaken) return;
    this.isNewcomers = isNewcomer;
    if (this.#timeout === null) return;
    const delay = Math.min(this.#timeout, LONGEST_TIMER);
    const timer = this.#timer = setTimeout(async () => {
      // It may be there, and only not have been read while the process stood still.
      await catchUp(1);
      if (this.#timer === timer) this.#refuse("it has not come within the connect timeout");
    }, delay);
  }

  /** There is all the time for it, or none is needed any more. */
  hold(): void {
    this.isNewcomers = false;
    this.#stopTimer();
  }

  /** Takes it from what the client has said, if it is there. @returns whether it was */
  take(): boolean {
    const header = decodeHeader(this.#clientSays.words);
    if (header === null) return false;
    this.#stopTimer();
    if (typeof header === "string") {
      this.#refuse(header);
      return false;
    }
    this.#isTaken = true;
    this.#endpoints = header.endpoints;
    this.#clientSays.drop(header.length);
    return true;
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
