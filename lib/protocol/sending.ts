import type { Socket } from "node:net";

/**
 * Writes to a socket and, when its buffer is full, waits until there is room again: who sends no
 * faster than this takes bounded memory. A socket that takes nothing any more ends the wait, too.
 */
export async function send(socket: Socket, data: string | Uint8Array): Promise<void> {
  if (!socket.writable || socket.write(data)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ["drain", "finish", "close"] as const;
  for (const event of events) socket.on(event, resolve);
  await promise;
  for (const event of events) socket.off(event, resolve);
}
