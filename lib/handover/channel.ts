import { Buffer } from "node:buffer";
import { SystemError } from "../linux/errno.ts";
import { libc } from "../linux/libc.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { dies, killProcess, openProcess } from "../linux/process.ts";
import {
  isReset,
  isTimeout,
  limitWaiting,
  LONGEST_MESSAGE,
  openPeer,
  peerOf,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
} from "../linux/unix_socket.ts";

/** How long the other process may be silent, in milliseconds. */
export const PATIENCE = 5000;

/** How often a process that needs time says that it still lives, in milliseconds. */
export const SIGN_OF_LIFE = 1000;

/** How long a process that was killed may take to be dead, in milliseconds. */
const DYING = 5000;

/** The first byte of each piece of a message says whether there are more. */
const LAST = 0;
const MORE = 1;
const LONGEST_PIECE = LONGEST_MESSAGE - 1;
/** No message takes more: not with all who are held, and all connections that a drain has cut. */
const MOST_PIECES = 1024;

/** Any message: who listens knows by its type what it says. It becomes JSON. */
export interface Typed {
  readonly type: string;
}

/** What became of a message: it is on its way, or the other side is gone, or takes nothing. */
export type Sent = "sent" | "gone" | "silent";

/** A message that came, or that the other side is gone, or that it is silent. */
export type Received = { readonly json: unknown } | "gone" | "silent";

/** As {@linkcode Received}, with the descriptors that came, which are the receiver's to close. */
export type ReceivedWithDescriptors =
  | { readonly json: unknown; readonly descriptors: number[] }
  | "gone"
  | "silent";

/** A connection between two processes, of which one takes over from the other. */
export class Channel implements Disposable {
  /** Of the other process; 0 if it has no number in this PID namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly #socket: number;
  /** The other process; -1 where it cannot be had. */
  readonly #process: number;
  readonly #warn: (message: string) => void;
  #hasWarned = false;

  /**
   * @param socket is closed with this
   * @param warn hears that the other process has to be waited for, however long that takes
   * @throws {SystemError} when the other process is gone already
   */
  constructor(socket: number, warn: (message: string) => void = () => {}) {
    this.#socket = socket;
    this.#warn = warn;
    limitWaiting(socket, PATIENCE);
    ({ pid: this.pid, uid: this.uid } = peerOf(socket));
    this.#process = openPeer(socket) ?? (this.pid === 0 ? -1 : openProcess(this.pid));
  }

  /** What to call the other process: `process 7`. */
  get name(): string {
    return this.pid === 0 ? "a process in another PID namespace" : `process ${this.pid}`;
  }

  /** Why nothing may be moved over this; `null` if it may. */
  get whyUnsafe(): string | null {
    if (this.#process !== -1) return null;
    return "the other process is in another PID namespace (another container), where this kernel " +
      "does not let it be seen to end: that takes Linux 6.5";
  }

  /** The descriptor of the socket: readable when something has come. */
  get descriptor(): number {
    return this.#socket;
  }

  /** Sends a message, in as many pieces as it takes: what can be sent at once has a limit. */
  send<Message extends Typed>(message: Message, descriptors: readonly number[] = []): Sent {
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
   * Waits for a message. Descriptors are not expected: those that came with it are closed.
   *
   * @param most of how many pieces it may be
   * @throws {Error} when one came that could not be taken whole
   */
  receive(most = MOST_PIECES): Received {
    const received = this.receiveWithDescriptors(most);
    if (typeof received === "string") return received;
    const { json, descriptors } = received;
    closeAll(descriptors);
    return { json };
  }

  /** As {@linkcode receive}, with the descriptors that came. */
  receiveWithDescriptors(most = MOST_PIECES): ReceivedWithDescriptors {
    const pieces: Uint8Array[] = [];
    const descriptors: number[] = [];
    try {
      for (;;) {
        const piece = this.#receivePiece();
        if (typeof piece === "string") {
          closeAll(descriptors);
          return piece;
        }
        pieces.push(piece.bytes.subarray(1));
        descriptors.push(...piece.descriptors);
        if (piece.bytes[0] === MORE && pieces.length < most) continue;
        return { json: parseJson(Buffer.concat(pieces)), descriptors };
      }
    } catch (error) {
      closeAll(descriptors);
      throw error;
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

  /**
   * Kills the other process.
   *
   * @param timeout how long it may take to be dead, in milliseconds
   * @returns whether it is dead; not so if it may not be killed
   */
  kill(timeout = DYING): boolean {
    return killProcess(this.#process, timeout);
  }

  /**
   * For one that is silent, and not dead though it was to be killed: waits until it says something,
   * or is gone. Nobody may go on before that.
   *
   * @param timeout in milliseconds; by default for as long as it takes
   */
  async waitFor(timeout?: number): Promise<void> {
    if (!this.#hasWarned) {
      this.#warn(
        `${
          capitalized(this.name)
        } does not answer and cannot be killed from here: nothing goes on ` +
          "until it answers or has ended",
      );
      this.#hasWarned = true;
    }
    await whichBecomesReadable([this.#socket, this.#process], timeout);
  }

  [Symbol.dispose](): void {
    libc.close(this.#socket);
    if (this.#process !== -1) libc.close(this.#process);
  }
}

/** As a sentence begins. */
function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) libc.close(descriptor);
}

/** What the text says; `null`, which is no message, if it is no JSON. */
function parseJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(text));
  } catch {
    return null;
  }
}
