import { codeOf } from "../code_of.ts";
import { messageOf } from "../message_of.ts";

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EADDRINUSE: "the port is taken",
  EADDRNOTAVAIL: "this machine has no such address",
  EAI_AGAIN: "the name cannot be looked up at the moment",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the other side reset it",
  EHOSTUNREACH: "no way leads to that host",
  // Deno says this of an address that is not ours.
  EINVAL: "this machine has no such address",
  EMFILE: "no file descriptor is left",
  ENETUNREACH: "no way leads to that network",
  ENOTFOUND: "no host has this name",
  EPIPE: "the other side reset it",
  ETIMEDOUT: "the other side does not answer",
};

/** Says in a few words what a socket's error means. */
export function describeSocketError(error: unknown): string {
  // A name with several addresses fails once for each.
  if (error instanceof AggregateError) {
    return [...new Set(error.errors.map(describeSocketError))].join("; ");
  }
  return DESCRIPTIONS[codeOf(error)] ?? messageOf(error);
}
