/**
 * What is known of who spoke on a connection: what decides whether it may be taken from its service.
 *
 * @module
 */

/** Why a connection cannot go on with another service. */
export type Tie =
  /** The service spoke before the client did. */
  | "spoke-first"
  /** The service spoke unasked after a silence. */
  | "spoke-unasked"
  | "tls"
  | "ssh"
  | "http2"
  /** It has switched protocols (HTTP's 101, or CONNECT). */
  | "switched"
  /** It begins with a header of the PROXY protocol, which the next service would not get. */
  | "proxy-header"
  /** One of its directions has ended. */
  | "ended"
  /** It comes from a process that did not keep account of who spoke. */
  | "unknown";

/** Every {@linkcode Tie}. */
export const TIES: readonly Tie[] = [
  "spoke-first",
  "spoke-unasked",
  "tls",
  "ssh",
  "http2",
  "switched",
  "proxy-header",
  "ended",
  "unknown",
];

/** Whose turn it is: who spoke last. */
export const NOBODY = 0;
export const CLIENT = 1;
export const SERVICE = 2;
export type Speaker = typeof NOBODY | typeof CLIENT | typeof SERVICE;

/** What a service's turn begins with, as far as it matters. */
export const ANSWER = 0;
/** HTTP's 1xx, or the begin of it, and nothing behind it: no answer yet, still the client's turn. */
export const INFORMATIONAL = 1;
/** HTTP's 1xx, and what comes after it in the same piece. */
export const INFORMATIONAL_AND_MORE = 2;

/** How many of the client's first bytes tell its protocol. */
const TELLING = 4;

/** How HTTP/1.1 begins an answer that is none yet: the status has three digits. */
const HTTP = [..."HTTP/1.1 1"].map((character) => character.charCodeAt(0));
const STATUS_LENGTH = 13;
/** How long a head may be that is not whole yet; a longer one is taken for an answer. */
const LONGEST_HEAD = 16 << 10;
const NOTHING = new Uint8Array();

/**
 * The longest silence for which an answer is kept back, in milliseconds: nobody wants to wait longer
 * for what is there. Who is to be silent for more has to be so by itself.
 */
const LONGEST_SILENCE = 10_000;

/**
 * For how many milliseconds an answer is kept back at the most: a client that has not fallen silent by
 * then does not wait for one before it goes on.
 *
 * @param quiet how long a silence is that counts as quiet
 * @returns 0 if it is not kept back
 */
export function longestKeptBack(quiet: number): number {
  return quiet > LONGEST_SILENCE ? 0 : 1000 + 5 * quiet;
}

/** Who spoke on a connection, and how. */
export class Conversation {
  /** Who spoke last. */
  turn: Speaker = NOBODY;
  /** The longest silence after which the service went on unasked, in milliseconds. */
  longestUnasked = 0;
  #tie: Tie | null = null;
  /** The client's first bytes, as one number, and how many there are. */
  #first = 0;
  #known = 0;
  /** The head of HTTP's 1xx, while it is not whole. It is not moved: the rest passes for an answer. */
  #head = NOTHING;

  /** Starts anew. */
  begin(): void {
    this.changeService();
    this.#tie = null;
    this.#first = this.#known = 0;
  }

  /** It goes on with another service, as if that had been there from the start. */
  changeService(): void {
    this.turn = NOBODY;
    this.longestUnasked = 0;
    this.#head = NOTHING;
  }

  /** Whether what the client says next has to be looked at. */
  get looksAtClient(): boolean {
    return this.#known < TELLING;
  }

  /** One of its directions has ended. */
  end(): void {
    this.#tie ??= "ended";
  }

  /**
   * The client has spoken.
   *
   * @param piece what it said, if that has to be looked at; it is not kept
   * @param length how many of its bytes it said
   */
  clientSpoke(piece: Uint8Array | null, length = piece?.length ?? 0): void {
    this.turn = CLIENT;
    if (piece === null || this.#known >= TELLING) return;
    for (let index = 0; index < length && this.#known < TELLING; index++) {
      this.#first = (this.#first << 8 | (piece[index] as number)) >>> 0;
      this.#known++;
      if (this.#known === 2 && this.#first === 0x1603) this.#tie ??= "tls";
    }
    if (this.#known === TELLING) this.#tie ??= tieOf(this.#first);
  }

  /**
   * The service has begun its turn.
   *
   * @param piece the first of what it said; it is not kept
   * @param length how many of its bytes it said
   * @returns what that is
   */
  serviceBegan(piece: Uint8Array, length = piece.length): number {
    if (this.turn === NOBODY) this.#tie ??= "spoke-first";
    const kind = this.#kindOf(piece, length);
    if (kind === SWITCHED) this.#tie ??= "switched";
    if (kind !== INFORMATIONAL) this.turn = SERVICE;
    return kind === SWITCHED ? ANSWER : kind;
  }

  /**
   * The service has gone on in its turn.
   *
   * @param silence for how many milliseconds it said nothing
   * @returns whether that was longer than ever before
   */
  serviceWentOn(silence: number): boolean {
    if (silence <= this.longestUnasked) return false;
    this.longestUnasked = silence;
    return true;
  }

  /** Why it cannot be suspended at all; `null` if it can. */
  get tie(): Tie | null {
    return this.#tie;
  }

  /** Why it cannot be suspended once it has been quiet for that long; `null` if it can. */
  tied(quiet: number): Tie | null {
    return this.#tie ?? (this.longestUnasked > quiet ? "spoke-unasked" : null);
  }

  /** What another process needs to know. */
  get moved(): MovedConversation {
    const { turn, longestUnasked } = this;
    return { turn, longestUnasked, tie: this.#tie, first: this.#first, known: this.#known };
  }

  /** Whether that is all that another process needs to know. */
  isAs(moved: MovedConversation | undefined): boolean {
    return moved !== undefined && this.turn === moved.turn &&
      this.longestUnasked === moved.longestUnasked && this.#tie === moved.tie &&
      this.#first === moved.first && this.#known === moved.known;
  }

  /** Goes on where another process has left off. @param moved `undefined` if it kept no account */
  restore(moved: MovedConversation | undefined): void {
    this.begin();
    if (moved === undefined) {
      this.#tie = "unknown";
      this.#known = TELLING;
      return;
    }
    this.turn = moved.turn;
    this.longestUnasked = moved.longestUnasked;
    this.#tie = moved.tie;
    this.#first = moved.first;
    this.#known = moved.known;
  }

  #kindOf(piece: Uint8Array, length: number): number {
    const begun = this.#head.length > 0;
    if (!begun && (length < HTTP.length || !isInformational(piece))) return ANSWER;
    const said = piece.subarray(0, length);
    const head = begun ? concatenate(this.#head, said) : said;
    this.#head = NOTHING;
    const end = endOfHeads(head);
    if (end === head.length) return INFORMATIONAL;
    const rest = head.subarray(end);
    if (!isInformational(rest)) return INFORMATIONAL_AND_MORE;
    if (isSwitching(rest)) return SWITCHED;
    if (rest.length > LONGEST_HEAD) return ANSWER;
    this.#head = rest.slice();
    return INFORMATIONAL;
  }
}

/** What another process needs to know of a {@linkcode Conversation}. */
export interface MovedConversation {
  readonly turn: Speaker;
  readonly longestUnasked: number;
  readonly tie: Tie | null;
  readonly first: number;
  readonly known: number;
}

const SWITCHED = 3;

/** What the client's first four bytes say. */
function tieOf(first: number): Tie | null {
  switch (first) {
    case 0x5353482d: // SSH-
      return "ssh";
    case 0x50524920: // PRI (RFC 9113, section 3.4)
      return "http2";
    case 0x434f4e4e: // CONN(ECT)
      return "switched";
    case 0x50524f58: // PROX(Y), and version 2 of it (proxy-protocol.txt, section 2)
    case 0x0d0a0d0a:
      return "proxy-header";
    default:
      return null;
  }
}

/** Where the heads of HTTP's 1xx end that are whole, 101 excepted; 0 if there are none. */
function endOfHeads(piece: Uint8Array): number {
  let start = 0;
  for (;;) {
    const rest = piece.subarray(start);
    const end = isInformational(rest) && !isSwitching(rest) ? endOfHead(rest) : -1;
    if (end === -1) return start;
    start += end;
  }
}

function isInformational(piece: Uint8Array): boolean {
  // Where most answers differ first.
  for (let index = HTTP.length - 1; index >= 0; index--) {
    if (piece[index] !== HTTP[index]) return false;
  }
  return true;
}

/** Whether the status of HTTP's 1xx is 101. */
function isSwitching(piece: Uint8Array): boolean {
  return piece[10] === 0x30 && piece[11] === 0x31;
}

/** Where the blank line after an answer's head ends; -1 if it has not come yet. */
function endOfHead(piece: Uint8Array): number {
  for (let index = STATUS_LENGTH; index + 1 < piece.length; index++) {
    if (piece[index] !== 0x0a) continue;
    if (piece[index + 1] === 0x0a) return index + 2;
    if (piece[index + 1] === 0x0d && piece[index + 2] === 0x0a) return index + 3;
  }
  return -1;
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
