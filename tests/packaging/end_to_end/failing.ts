/** Tests that fail because of the runtime that the executables are on, for one reason. */
export interface Failing {
  readonly because: string;
  /** Their names. */
  readonly tests: readonly string[];
  /** Those that only fail if it comes to that. */
  readonly sometimes?: readonly string[];
}

/**
 * The end-to-end tests that fail on the runtime of Deno 2.6.10, though the programs are as they should
 * be: from source, on a newer Deno, they pass. What of it users may notice stands in
 * docs/release-notes.md.
 */
export const FAILING: readonly Failing[] = [
  {
    because: "with the portable relay a half-closed client is never passed on, and passed-on " +
      "sockets do not work",
    tests: [
      "SIGHUP to a portable relay, which cannot be upgraded, changes nothing but the log",
      "a portable relay says that it cannot set --tcp-user-timeout, in one line",
      "portable: a socket on another port than the command line's is refused, naming both",
      "portable: all sockets on the port are served, and a line names those that are on another",
      "portable: it serves on the socket that was passed on, and who waited there",
      "portable: nobody is lost when idle proxies end and follow each other on one socket",
      "the portable relay has one thread, and says so",
      "the portable relay neither takes over nor hands over: one clear line, and the first goes on",
    ],
  },
  {
    because: "a name is looked up with a warning about punycode on stderr",
    tests: [
      "a proxy does not start with an upstream that is the proxy itself, or that this machine " +
      "cannot use",
    ],
  },
  {
    because: "a socket that has ended its side says that it is closed, with answers still to come",
    tests: [
      "a reply without end is one clear line and exit 1",
      "after a line too long no reset destroys the answers, though more bytes arrive",
      "after quit no reset destroys the answers, though more bytes arrive",
      "at the end of stdin it ends its side, and waits for what is still to come",
      "bytes that are not UTF-8 pass unchanged",
      "from a pipe it sends the lines and prints the replies",
      "it says that the server's end is late",
      "many lines are all answered",
      "on a terminal Ctrl-D ends our side, and what is still to come is shown",
    ],
    sometimes: [
      "a server that ends without answering is one clear line and exit 1",
      "every address of a name is tried",
      "output to a closed pipe is no error message",
      "stdin and stdout that fail are one clear line and exit 1",
      "the server can be named by the environment",
    ],
  },
  {
    because:
      "hello-world-server cannot listen on IPv4 and IPv6 both, nor on a passed-on socket, and " +
      "a client that was reset before it was accepted is logged for ever",
    tests: [
      "a client that resets its connection harms nobody",
      "no connection is lost when servers that end at once follow each other on one socket",
      "under socket activation it serves who waited, and ends when nobody is left",
      "without a host it listens on IPv4 and IPv6",
    ],
  },
];
