/**
 * Starts a command for which some questions about sockets go wrong, as on a kernel that knows less:
 * `without_syscalls.ts COMMAND…`. SO_COOKIE is not known, and TCP_INFO says nothing.
 *
 * @module
 */

const libc = Deno.dlopen("libc.so.6", {
  execvp: { parameters: ["buffer", "buffer"], result: "i32" },
  prctl: { parameters: ["i32", "usize", "buffer", "usize", "usize"], result: "i32" },
}).symbols;

/** Options of prctl(2) (linux/prctl.h), and of seccomp (linux/seccomp.h). */
const [PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER] = [22, 38, 2n];
const [ALLOW, ERRNO] = [0x7fff0000, 0x00050000];
const ENOPROTOOPT = 92;

/** The number of getsockopt(2) (asm/unistd.h). */
const GETSOCKOPT = Deno.build.arch === "aarch64" ? 209 : 55;

/** Where in struct seccomp_data things are: the number of the call, and its arguments. */
const [NUMBER, LEVEL, OPTION] = [0, 24, 32];

/** Instructions (linux/bpf_common.h): load a word, jump if equal, return. */
const [LOAD, JUMP, RETURN] = [0x20, 0x15, 0x06];

/** [instruction, how many to skip if equal, how many if not, operand] */
const program: [number, number, number, number][] = [
  [LOAD, 0, 0, NUMBER],
  [JUMP, 0, 7, GETSOCKOPT],
  [LOAD, 0, 0, LEVEL],
  [JUMP, 0, 2, 1], // SOL_SOCKET
  [LOAD, 0, 0, OPTION],
  [JUMP, 4, 3, 57], // SO_COOKIE
  [JUMP, 0, 2, 6], // IPPROTO_TCP
  [LOAD, 0, 0, OPTION],
  [JUMP, 2, 0, 11], // TCP_INFO
  [RETURN, 0, 0, ALLOW],
  [RETURN, 0, 0, ERRNO | ENOPROTOOPT],
  [RETURN, 0, 0, ERRNO], // as if it had been done
];

const filter = new DataView(new ArrayBuffer(8 * program.length));
for (const [index, [code, equal, unequal, operand]] of program.entries()) {
  filter.setUint16(8 * index, code, true);
  filter.setUint8(8 * index + 2, equal);
  filter.setUint8(8 * index + 3, unequal);
  filter.setUint32(8 * index + 4, operand, true);
}
const address = (bytes: BufferSource) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
const instructions = new Uint8Array(filter.buffer);
/** struct sock_fprog: a length, and a pointer. */
const description = new BigUint64Array([BigInt(program.length), address(instructions)]);
libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, null, 0n, 0n);
if (libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, new Uint8Array(description.buffer), 0n, 0n)) {
  throw new Error("There is no seccomp here");
}
const words = Deno.args.map((word) => new TextEncoder().encode(`${word}\0`));
const pointers = new BigUint64Array([...words.map(address), 0n]);
libc.execvp(words[0] as Uint8Array<ArrayBuffer>, new Uint8Array(pointers.buffer));
throw new Error(`Failed to start ${Deno.args[0]}`);
