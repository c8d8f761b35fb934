import { type Kind, RELAYS } from "../relays.ts";

/** Every kind of relay. */
export const KINDS = Object.keys(RELAYS) as Kind[];

/** One for each way of serving a connection: what a thread does with one, it does alone. */
export const WAYS = KINDS.filter((kind) => kind !== "epoll in 2 threads");

/** Those that work with epoll(7). */
export const EPOLL_KINDS = KINDS.filter((kind) => kind.startsWith("epoll"));
