import type { Tie } from "../relay/conversation.ts";

/** Why a connection is never suspended, as what follows "because". */
export const BECAUSE: Readonly<Record<Tie, string>> = {
  "spoke-first": "its service spoke first",
  "spoke-unasked": "it speaks unasked",
  tls: "it is TLS",
  ssh: "it is SSH",
  http2: "it is HTTP/2",
  switched: "it has switched protocols",
  "proxy-header": "it begins with a PROXY header",
  ended: "one of its directions has ended",
  unknown: "a process before kept no account of it",
};
