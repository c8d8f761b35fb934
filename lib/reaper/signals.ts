import { constants } from "node:os";

/** Their numbers (signal(7)). */
export const { SIGHUP, SIGTERM, SIGCHLD } = constants.signals;

const { SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 } = constants.signals;

/** Those that a proxy does not ignore. */
export const LASTING = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/** Those that mean something to a proxy. */
export const PASSED_ON = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
