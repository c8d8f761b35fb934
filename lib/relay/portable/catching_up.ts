/** Of how many sockets the system tells Deno at once, at the most (tokio's capacity for events). */
const SOCKETS_AT_ONCE = 1024;

/**
 * Lets the event loop take what has come by now: bytes, room for more, connections. After a
 * standstill of the process its timers fire first, and know nothing of that.
 *
 * @param sockets how many there are
 */
export async function catchUp(sockets: number): Promise<void> {
  // One for what is going on right now, one to be told of what has come, one to take that.
  for (let turns = 3 + Math.ceil(sockets / SOCKETS_AT_ONCE); turns > 0; turns--) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
