/**
 * One connection of the server: moves bytes between a socket and a session.
 *
 * @module
 */

import type { Socket } from "node:net";
import { within } from "../within.ts";
import { send } from "./sending.ts";
import { Session, type SessionOptions } from "./session.ts";

/** Replies to many short lines are sent together, in pieces of about this many characters. */
const BATCH = 16 * 1024;

/**
 * How long we go on reading after our last word. Closing a socket with received bytes unread, or
 * met by more bytes later, resets the connection, and a reset can destroy replies on their way. So
 * the client gets this long to see the end of our side and to close its own.
 */
const LINGER = 2000;

/**
 * Talks to one client until both sides have ended, and then closes the socket. It reads no faster
 * than the client takes the replies. A client that goes away without a word is no error.
 */
export async function converse(socket: Socket, options: SessionOptions): Promise<void> {
  socket.on("error", () => {}); // met below, where the socket is read
  try {
    const session = new Session(options);
    for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
      await sendAll(socket, session.receive(bytes));
      if (session.closed) break;
    }
    await sendAll(socket, session.end());
    socket.end();
    await bothEnded(socket);
  } catch (error) {
    if (!socket.destroyed) throw error;
  } finally {
    socket.destroy();
  }
}

async function sendAll(socket: Socket, replies: Iterable<string>): Promise<void> {
  let batch = "";
  for (const reply of replies) {
    batch += reply;
    if (batch.length < BATCH) continue;
    await send(socket, batch);
    batch = "";
  }
  if (batch !== "") await send(socket, batch);
}

/** Waits until all is sent, and then until the client has ended as well, or has had its time. */
async function bothEnded(socket: Socket): Promise<void> {
  socket.resume();
  await once(socket, ["finish", "close"], () => socket.writableFinished);
  await within(once(socket, ["end", "close"], () => socket.readableEnded), LINGER);
}

async function once(socket: Socket, events: string[], already: () => boolean): Promise<void> {
  if (socket.destroyed || already()) return;
  await new Promise<void>((resolve) => {
    for (const event of events) socket.once(event, () => resolve());
  });
}
