import { libc } from "../../linux/libc.ts";
import { closeWithReset } from "../../linux/socket.ts";
import type { Connections } from "./connections.ts";
import type { Pipes } from "./pipes.ts";

/** Closes this process's copies of sockets and pipes that another one goes on with. */
export function letGo(connections: Connections, pipes: Pipes): void {
  for (const connection of connections) {
    const { client, upstream, attempt } = connection;
    connection.end(pipes);
    libc.close(client);
    if (upstream === -1) continue;
    // One that is being connected is connected anew there. Left to the system, it would end as if
    // in peace.
    if (attempt === null) libc.close(upstream);
    else closeWithReset(upstream);
  }
}
