/**
 * A client and its service: the bytes between them, and when the service may be let go.
 *
 * Two things it cannot do. What a service says before it closes with the request unread is lost
 * where writing the request fails before that was read: node:net of Deno 2.9.6 reads no further from
 * a socket once a write has failed, whether or not it destroys it (`autoDestroy`), and knows nothing
 * of what is acknowledged. And Deno 2.9.6 takes a peer that ended its direction without ever having
 * sent a byte for one that is gone, and fails what the kernel does not take at once with EPIPE
 * (libs/core/uv_compat/tcp.rs). Such a peer is reset if it reads too slowly: it sees that something
 * is missing.
 *
 * @module
 */

import type { Socket } from "node:net";
import {
  CLIENT,
  type Conversation,
  INFORMATIONAL,
  longestKeptBack,
  SERVICE,
} from "../conversation.ts";
import type { LettingGo } from "../relay.ts";
import { Inbox } from "./inbox.ts";

/** How much is read at once (libs/core/uv_compat/tcp.rs of Deno): behind that there may be more. */
const WHOLE_READ = 64 << 10;

/** What an exchange tells of. */
export interface ExchangeEvents {
  movedUp(count: number): void;
  movedDown(count: number): void;
  /** One side has taken what could not be written before. */
  drained(): void;
  /** A direction has ended. */
  ended(): void;
  /** Nothing can be written to one side any more. */
  failed(side: "client" | "upstream"): void;
}

/** What may be done with an exchange. */
export type Outcome =
  | "goes on"
  /** The service can be let go. */
  | "quiet"
  /** Both can be closed: the service has ended, and its client wants nothing more. */
  | "finished";

/**
 * A client that is served.
 *
 * While the service is to be let go once it is quiet, an answer is kept back until the client has
 * been silent for a while: what it says before it can see the answer belongs to its request. From
 * then on the client's words are withheld, for whoever serves it next.
 */
export class Exchange {
  readonly #client: Socket;
  readonly #clientSays: Inbox;
  readonly #upstream: Socket;
  readonly #serviceSays: Inbox;
  readonly #conversation: Conversation;
  readonly #events: ExchangeEvents;
  #clientSpokeAt = performance.now();
  #serviceSpokeAt = this.#clientSpokeAt;
  /** Whether what the service says next may have been there already. */
  #mayHaveMore = false;
  /** When the system had taken all that the service said, and its end; `null` before. */
  #deliveredAt: number | null = null;
  #quiet: number | null = null;
  /** Since when an answer has been kept back; `null` while none is. */
  #keptBackSince: number | null = null;
  /** Whether both speak at the same time: nothing is kept back until both have been silent. */
  #overlaps = false;
  #closeEnded: number | null = null;
  readonly #drained: () => void;
  readonly #finished: () => void;

  /** Begins to carry bytes, beginning with what is kept of the client's. */
  constructor(
    client: Socket,
    clientSays: Inbox,
    upstream: Socket,
    conversation: Conversation,
    events: ExchangeEvents,
  ) {
    this.#client = client;
    this.#clientSays = clientSays;
    this.#upstream = upstream;
    this.#conversation = conversation;
    this.#events = events;
    this.#serviceSays = new Inbox(upstream, {
      said: (piece) => this.#takeAnswer(piece),
      ended: () => this.#end(client),
      kept: () => this.#keptBackSince ??= performance.now(),
    });
    clientSays.hearer = {
      said: (piece) => this.#takeRequest(piece),
      ended: () => this.#end(upstream),
      kept: () => {},
    };
    // What one side does not take, the other need not say.
    this.#drained = () => this.#goOn(this.#serviceSays);
    this.#finished = () => this.#deliveredAt = performance.now();
    client.on("drain", this.#drained).on("finish", this.#finished);
    upstream.on("drain", () => this.#goOn(clientSays));
    clientSays.unblock();
    clientSays.passOn();
    this.#serviceSays.passOn();
  }

  /** Whether the service has ended its direction. */
  get hasServiceEnded(): boolean {
    return this.#upstream.readableEnded;
  }

  /** Whether an answer waits here for its client: then it is not idle, though no byte moves. */
  get keepsAnswer(): boolean {
    return this.#serviceSays.isKeeping && this.#hasAnswer;
  }

  /** How long a silence is that counts as quiet; `null` if none is. */
  get quiet(): number | null {
    return this.#quiet;
  }

  /** Says what need not be waited for from now on. */
  letGo({ suspendQuiet, closeEnded }: LettingGo): void {
    this.#quiet = suspendQuiet;
    this.#closeEnded = closeEnded;
    this.#arrange();
  }

  /** When it is to be asked for its {@linkcode outcome}, by `performance.now()`. */
  get dueAt(): number {
    const quiet = this.#quietFor;
    if (quiet === null) return this.#finishedAt;
    if (this.#conversation.turn !== CLIENT) {
      return Math.max(this.#clientSpokeAt, this.#serviceSpokeAt) + quiet;
    }
    if (!this.#hasAnswer) return Infinity;
    return Math.min(this.#clientSpokeAt + quiet, this.#keptBackUntil(quiet));
  }

  #keptBackUntil(quiet: number): number {
    return (this.#keptBackSince ?? Infinity) + longestKeptBack(quiet);
  }

  /**
   * What may be done with it. Answers that were kept back long enough are passed on.
   *
   * @param now a time by `performance.now()`; all that had come by then must have been read
   */
  outcome(now: number): Outcome {
    if (now < this.dueAt) return "goes on";
    const quiet = this.#quietFor;
    if (quiet === null) return "finished";
    if (this.#conversation.turn === CLIENT) this.#passOnAnswer(now < this.#clientSpokeAt + quiet);
    else if (this.#clientSays.hasEnded && this.#clientSays.size === 0) this.#clientSays.passOn();
    else if (this.#isAllDelivered) return "quiet";
    return "goes on";
  }

  /** Lets the service go. What the client says from now on is kept. */
  leave(): void {
    this.#clientSays.keep();
    this.#client.off("drain", this.#drained).off("finish", this.#finished);
    this.#upstream.destroy();
  }

  /** For how long both sides must be silent; `null` if the service is not to be let go. */
  get #quietFor(): number | null {
    const quiet = this.#quiet;
    return quiet === null || this.#conversation.tied(quiet) !== null ? null : quiet;
  }

  /** From when on it is over, though the client has not ended its direction. */
  get #finishedAt(): number {
    if (this.#closeEnded === null || this.#deliveredAt === null) return Infinity;
    return Math.max(this.#clientSpokeAt, this.#deliveredAt) + this.#closeEnded;
  }

  /** Whether there is an answer, or its end, that is kept back. */
  get #hasAnswer(): boolean {
    return this.#serviceSays.size > 0 || this.#serviceSays.hasEnded;
  }

  /** Whether the system has all that was said. */
  get #isAllDelivered(): boolean {
    return this.#upstream.writableLength === 0 && this.#client.writableLength === 0 &&
      !this.#serviceSays.isBlocked;
  }

  #takeRequest(piece: Uint8Array): void {
    const conversation = this.#conversation;
    conversation.clientSpoke(conversation.looksAtClient ? piece : null);
    const now = performance.now();
    const silentSince = Math.max(this.#clientSpokeAt, this.#serviceSpokeAt);
    if (this.#overlaps && now - silentSince > (this.#quiet ?? 0)) this.#overlaps = false;
    this.#clientSpokeAt = now;
    if (this.#quiet !== null) this.#arrange();
    this.#events.movedUp(piece.length);
    this.#write(this.#upstream, piece, this.#clientSays, "upstream");
  }

  #takeAnswer(piece: Uint8Array): void {
    const conversation = this.#conversation;
    const now = performance.now();
    const goesOn = conversation.turn === SERVICE;
    const kind = goesOn ? null : conversation.serviceBegan(piece);
    if (goesOn && !this.#mayHaveMore) conversation.serviceWentOn(now - this.#serviceSpokeAt);
    this.#mayHaveMore = piece.length >= WHOLE_READ;
    this.#serviceSpokeAt = now;
    this.#events.movedDown(piece.length);
    this.#write(this.#client, piece, this.#serviceSays, "client");
    if (this.#quiet === null) return;
    // The rest of its request is still to come.
    if (kind !== null && kind >= INFORMATIONAL) this.#clientSays.passOn();
    this.#arrange();
  }

  /**
   * An answer was kept back for long enough. The client has been silent: its request is whole.
   *
   * @param overlaps instead, it goes on and on without an answer
   */
  #passOnAnswer(overlaps: boolean): void {
    this.#overlaps = overlaps;
    // Unless the service answers without having taken it.
    if (!overlaps && !this.#clientSays.isBlocked) this.#clientSays.keep();
    this.#keptBackSince = null;
    this.#serviceSays.passOn();
  }

  /** Keeps an answer back, if that is wanted, or nothing any more. */
  #arrange(): void {
    const quiet = this.#quietFor;
    if (quiet === null || longestKeptBack(quiet) === 0) {
      if (this.#clientSays.isKeeping) this.#clientSays.passOn();
      if (this.#serviceSays.isKeeping) this.#serviceSays.passOn();
      this.#keptBackSince = null;
    } else if (this.#conversation.turn === CLIENT && !this.#overlaps) this.#serviceSays.keep();
  }

  #write(to: Socket, piece: Uint8Array, says: Inbox, side: "client" | "upstream"): void {
    const written = (error?: Error | null) => {
      // Here and not only at "error": by then the socket has been closed as if in peace.
      if (error) this.#events.failed(side);
      else giveBack(piece);
    };
    if (!to.write(piece, written)) says.block();
  }

  #goOn(says: Inbox): void {
    // While nothing could be written, nobody was silent.
    const now = performance.now();
    if (says === this.#clientSays) this.#clientSpokeAt = now;
    else this.#serviceSpokeAt = now;
    this.#events.drained();
    says.unblock();
  }

  #end(to: Socket): void {
    this.#conversation.end();
    this.#events.ended();
    to.end();
    this.#arrange();
  }
}

/**
 * Frees the memory of what has been written. Garbage collection would leave that until hundreds of
 * megabytes have passed.
 */
function giveBack(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}
