import { type Kind, RELAYS } from "../relays.ts";

/** Every kind of relay. */
export const KINDS = Object.keys(RELAYS) as Kind[];

/** Those that work with epoll(7). */
export const EPOLL_KINDS = KINDS.filter((kind) => kind.startsWith("epoll"));
