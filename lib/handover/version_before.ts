/**
 * What the version before takes. It refuses what it does not know, so that nothing is lost; here it
 * is told all of this in what it does know, so that going back to it loses nobody either.
 *
 * @module
 */

import { snapshotForVersionBefore } from "../drain/snapshot.ts";
import type { Message } from "./messages.ts";

/** The version before, as it says when it asks. */
export const VERSION_BEFORE = "1.0.0";

/**
 * A message as a version takes it.
 *
 * @param version of the receiver
 * @throws {Error} when it can go on with no such thing, or would do harm with it
 */
export function asTakenBy(version: string, message: Message): Message {
  if (version !== VERSION_BEFORE) return message;
  switch (message.type) {
    case "offer": {
      const { reaper, more = [], isInherited: _isInherited, tellsAhead: _ahead, ...known } =
        message;
      const { pid } = known;
      if (reaper !== undefined) {
        throw new Error(
          `the container ends with process ${pid}, and version ${version} takes over only from one that ` +
            "may end: restart the container with that version",
        );
      }
      if (more.length > 0) {
        throw new Error(
          `version ${version} takes one listening socket, and process ${pid} has ` +
            `${1 + more.length}: stop that before this one is started`,
        );
      }
      return known;
    }
    case "state": {
      const { client_left = 0, bad_header = 0, ...closed } = message.counters.closed;
      const { finished = 0, client_reset = 0 } = closed;
      const counters = {
        ...message.counters,
        closed: {
          ...closed,
          // They were closed in peace as well.
          finished: finished + client_left,
          client_reset: client_reset + bad_header,
        },
      };
      const { descriptors: _descriptors, changed: _changed, ended: _ended, ...known } = message;
      return { ...known, counters, drain: snapshotForVersionBefore(message.drain) };
    }
    case "connections":
      return {
        ...message,
        // One that is held is connected at once there, and however long that takes: waiting it knows
        // in the kernel's queue only. One that has failed is seen to have failed once more.
        connections: message.connections.map((connection) => {
          const { heldSince: _held, failed: _failed, ...newer } = connection;
          const { wasServed: _served, target: _target, talk: _talk, ...older } = newer;
          const { header: _header, ...known } = older;
          return { ...known, deadline: null };
        }),
      };
    default:
      return message;
  }
}
