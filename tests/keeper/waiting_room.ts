/**
 * Says how many clients a keeper can hold beside those in the kernel's queue.
 *
 * @module
 */

import { WaitingRoom } from "../../lib/keeper/waiting_room.ts";
import { listen } from "../../lib/linux/socket.ts";
import { queueOf } from "../../lib/linux/tcp_info.ts";
import { NOTHING_MOVED } from "../../lib/relay/epoll/moved.ts";

const listener = listen({ host: "127.0.0.1", port: 0 }, false, 8);
const room = new WaitingRoom({ ...NOTHING_MOVED, listeners: [listener], isInherited: false });
// deno-lint-ignore no-console
console.log((room.queueLimit ?? 0) - queueOf(listener).limit);
