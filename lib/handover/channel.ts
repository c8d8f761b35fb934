import { SystemError } from "../linux/errno.ts";
import { libc } from "../linux/libc.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { dies, killProcess, openProcess } from "../linux/process.ts";
import {
  isReset,
  isTimeout,
  limitWaiting,
  LONGEST_MESSAGE,
  peerOf,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
} from "../linux/unix_socket.ts";
import type { StandbyMessage } from "../keeper/messages.ts";
import type { Message } from "./messages.ts";

/** How long the other process may be silent, in milliseconds. */
export const PATIENCE = 5000;

/** How long a process that was killed may take to be dead, in milliseconds. */
const DYING = 5000;

/** The first byte of each piece of a message says whether there are more. */
const LAST = 0;
const MORE = 1;
const LONGEST_PIECE = LONGEST_MESSAGE - 1;
/** No message takes more: not with all who are held, and all connections that a drain has cut. */
const MOST_PIECES = 1024;

/** What became of a message: it is on its way, or the other side is gone, or takes nothing. */
export type Sent = "sent" | "gone" | "silent";

/** What came, or that the other side is gone, or that it is silent. */
export type Received =
  | { readonly json: unknown; readonly descriptors: number[] }
  | "gone"
  | "silent";

/** A connection between two processes, of which one takes over from the other. */
export class Channel implements Disposable {
  readonly pid: number;
  readonly uid: number;
  readonly #socket: number;
  /** The other process. */
  readonly #process: number;

  /**
   * @param socket is closed with this
   * @throws {SystemError} when the other process is gone already
   */
  constructor(socket: number) {
    this.#socket = socket;
    limitWaiting(socket, PATIENCE);
    ({ pid: this.pid, uid: this.uid } = peerOf(socket));
    this.#process = openProcess(this.pid);
  }

  /** The descriptor of the socket: readable when something has come. */
  get descriptor(): number {
    return this.#socket;
  }

  /** Sends a message, in as many pieces as it takes: what can be sent at once has a limit. */
  send(message: Message | StandbyMessage, descriptors: readonly number[] = []): Sent {
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    try {
      for (let at = 0; at < bytes.length; at += LONGEST_PIECE) {
        const piece = bytes.subarray(at, at + LONGEST_PIECE);
        const marked = new Uint8Array(1 + piece.length);
        marked[0] = at + piece.length === bytes.length ? LAST : MORE;
        marked.set(piece, 1);
        sendMessage(this.#socket, marked, at === 0 ? descriptors : []);
      }
      return "sent";
    } catch (error) {
      return isTimeout(error) ? "silent" : "gone";
    }
  }

  /**
   * Waits for a message, with everything else.
   *
   * @param most of how many pieces it may be
   * @throws {Error} when one came that could not be taken whole
   */
  receive(most = MOST_PIECES): Received {
    const pieces: Uint8Array[] = [];
    const descriptors: number[] = [];
    for (;;) {
      const piece = this.#receivePiece();
      if (typeof piece === "string") {
        for (const descriptor of descriptors) libc.close(descriptor);
        return piece;
      }
      pieces.push(piece.bytes.subarray(1));
      descriptors.push(...piece.descriptors);
      if (piece.bytes[0] === MORE && pieces.length < most) continue;
      return { json: parseJson(concatenate(pieces)), descriptors };
    }
  }

  #receivePiece(): ReceivedMessage | "gone" | "silent" {
    try {
      return receiveMessage(this.#socket) ?? "gone";
    } catch (error) {
      // The other side closed without having read everything; what it had said is still to come.
      if (isReset(error)) return this.#receivePiece();
      if (isTimeout(error)) return "silent";
      if (error instanceof SystemError) return "gone";
      throw error;
    }
  }

  /** Waits until the other process is dead. @returns whether it is */
  outlives(): boolean {
    return dies(this.#process, DYING);
  }

  /** As {@linkcode outlives}, in the background. @param timeout in milliseconds */
  async outlivesWithin(timeout: number): Promise<boolean> {
    return (await whichBecomesReadable([this.#process], timeout)).length > 0;
  }

  /** Kills the other process. @returns whether it is dead; not so if it may not be killed */
  kill(): boolean {
    return killProcess(this.#process, DYING);
  }

  [Symbol.dispose](): void {
    libc.close(this.#socket);
    libc.close(this.#process);
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** What the text says; `null`, which is no message, if it is no JSON. */
function parseJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(text));
  } catch {
    return null;
  }
}
