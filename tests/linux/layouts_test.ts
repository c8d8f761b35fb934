import assert from "node:assert/strict";
import * as clock from "../../lib/linux/clock.ts";
import * as epoll from "../../lib/linux/epoll.ts";
import * as errno from "../../lib/linux/errno.ts";
import { nameOfError } from "../../lib/linux/error_names.ts";
import * as eventCounter from "../../lib/linux/event_counter.ts";
import * as pipe from "../../lib/linux/pipe.ts";
import * as process from "../../lib/linux/process.ts";
import * as resourceLimit from "../../lib/linux/resource_limit.ts";
import * as socket from "../../lib/linux/socket.ts";
import * as socketAddress from "../../lib/linux/socket_address.ts";
import * as tcpInfo from "../../lib/linux/tcp_info.ts";
import * as waitingSignals from "../../lib/linux/waiting_signals.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

/** The processors for which lib/linux knows the layouts, and their compilers. */
const COMPILERS = new Map([["x86_64", "x86_64-linux-gnu-gcc"], [
  "aarch64",
  "aarch64-linux-gnu-gcc",
]]);

const HEADERS = [
  "errno.h",
  "fcntl.h",
  "linux/sockios.h",
  "linux/tcp.h",
  "net/if.h",
  "netinet/in.h",
  "stddef.h",
  "signal.h",
  "sys/epoll.h",
  "sys/eventfd.h",
  "sys/ioctl.h",
  "sys/prctl.h",
  "sys/resource.h",
  "sys/signalfd.h",
  "sys/socket.h",
  "sys/wait.h",
  "time.h",
  "unistd.h",
];

const MODULES = [
  clock,
  epoll,
  errno,
  eventCounter,
  pipe,
  process,
  resourceLimit,
  socket,
  socketAddress,
  tcpInfo,
  waitingSignals,
];

/** Numbers that lib/linux exports and whose names are its own. */
const OURS = ["EVENT_SIZE", "LARGEST"];

/** All other numbers that it exports have their names from a header. */
const CONSTANTS = MODULES.flatMap((module) => Object.entries(module))
  .filter((entry): entry is [string, number] => typeof entry[1] === "number")
  .filter(([name]) => !OURS.includes(name));

/** Every error that has a name. */
const ERRORS = Array.from({ length: 200 }, (_, number): [string | null, number] => [
  nameOfError(number),
  number,
]).filter((error): error is [string, number] => error[0] !== null);

/** What an expression of C must come to: sizes and offsets, in bytes. */
function layouts(arch: string): [string, number][] {
  const event = epoll.eventLayout(arch);
  const { TIMESPEC: time } = clock;
  const { RLIMIT: limit } = resourceLimit;
  const { SIZE, OFFSET: at, AF_INET, AF_INET6 } = socketAddress;
  const { OFFSET: info } = tcpInfo;
  const { SIZES: sizes } = waitingSignals;
  return [
    ["sizeof(struct epoll_event)", event.words * 4],
    ["offsetof(struct epoll_event, events)", 0],
    ["offsetof(struct epoll_event, data)", event.data * 4],
    ["sizeof(struct timespec)", time.words * 4],
    ["offsetof(struct timespec, tv_sec)", time.seconds * 4],
    ["offsetof(struct timespec, tv_nsec)", time.nanoseconds * 4],
    ["sizeof(struct rlimit)", limit.words * 8],
    ["offsetof(struct rlimit, rlim_cur)", limit.current * 8],
    ["offsetof(struct rlimit, rlim_max)", limit.hardest * 8],
    ["sizeof(struct linger)", socket.LINGER_RESET.length],
    ["offsetof(struct linger, l_onoff)", socket.LINGER_RESET.indexOf(1)],
    ["sizeof(struct sockaddr_in)", SIZE[AF_INET]],
    ["offsetof(struct sockaddr_in, sin_family)", at.family],
    ["offsetof(struct sockaddr_in, sin_port)", at.port],
    ["offsetof(struct sockaddr_in, sin_addr)", at.address4],
    ["sizeof(struct sockaddr_in6)", SIZE[AF_INET6]],
    ["offsetof(struct sockaddr_in6, sin6_family)", at.family],
    ["offsetof(struct sockaddr_in6, sin6_port)", at.port],
    ["offsetof(struct sockaddr_in6, sin6_addr)", at.address6],
    ["offsetof(struct sockaddr_in6, sin6_scope_id)", at.scope6],
    ["offsetof(struct tcp_info, tcpi_unacked)", info.unacked],
    ["offsetof(struct tcp_info, tcpi_sacked)", info.sacked],
    ["sizeof(sigset_t)", sizes.set],
    ["sizeof(struct signalfd_siginfo)", sizes.info],
    ["offsetof(struct signalfd_siginfo, ssi_signo)", 0],
    ["sizeof(((struct tcp_info *) 0)->tcpi_unacked)", 4],
    ["sizeof(((struct tcp_info *) 0)->tcpi_sacked)", 4],
  ];
}

/** A program that compiles only if the headers mean the same. */
function claims(facts: [string, number][]): string {
  return [
    "#define _GNU_SOURCE",
    ...HEADERS.map((header) => `#include <${header}>`),
    // Flags in the highest bit are negative numbers here.
    ...facts.map(([what, is]) =>
      `_Static_assert((int) (${what}) == ${is}, "${what} is not ${is}");`
    ),
  ].join("\n");
}

/** What a compiler says against a program; "" if nothing. */
async function objections(compiler: string, program: string): Promise<string> {
  await using temporary = await TemporaryDirectory.make();
  const file = `${temporary.path}/claims.c`;
  await Deno.writeTextFile(file, program);
  const { stderr } = await new Deno.Command(compiler, { args: ["-fsyntax-only", file] }).output();
  return new TextDecoder().decode(stderr);
}

for (const [arch, crossCompiler] of COMPILERS) {
  const compiler = arch === Deno.build.arch ? "gcc" : crossCompiler;
  testWith(
    without(compiler),
    `constants and layouts are those of the headers of the C library on ${arch}`,
    async () => {
      assert(CONSTANTS.length > 60, `only ${CONSTANTS.length} constants`);
      assert.equal(ERRORS.length, 131);
      assert.equal(
        await objections(compiler, claims([...CONSTANTS, ...ERRORS, ...layouts(arch)])),
        "",
      );
    },
  );
}

testWith(
  without("gcc"),
  "a constant that differs from the headers is found, by its name",
  async () => {
    assert.match(await objections("gcc", claims([["EAGAIN", 12]])), /EAGAIN is not 12/);
  },
);
