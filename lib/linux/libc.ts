/**
 * The C library, called directly.
 *
 * Lengths (`size_t`) are declared as 32-bit integers and so are results (`ssize_t`): Deno's calls
 * with 64-bit integers take 200 ns longer. That is sound on x86_64 and aarch64, where writing the
 * lower half of a register clears the upper one, for lengths that are never negative and results
 * below 2^31; every length here is far smaller.
 *
 * Using it needs Linux and the permission to call the C library (`--allow-ffi`).
 *
 * @module
 */

/** The calls, each as in its manual page in section 2 or 3. */
const CALLS = {
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getauxval: { parameters: ["u32"], result: "pointer" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  if_indextoname: { parameters: ["u32", "buffer"], result: "pointer" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  inet_ntop: { parameters: ["i32", "buffer", "buffer", "u32"], result: "pointer" },
  inet_pton: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u32", "buffer"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
  pollInBackground: {
    name: "poll",
    parameters: ["buffer", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  prctl: { parameters: ["i32", "u32", "u32", "u32", "u32"], result: "i32" },
  pthread_sigmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setgroups: { parameters: ["u32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setsid: { parameters: [], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  signal: { parameters: ["i32", "usize"], result: "usize" },
  signalfd: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "u32", "u32"], result: "i32" },
  strerror: { parameters: ["i32"], result: "pointer" },
  syscall: { parameters: ["u32", "u32", "u32", "u32", "u32"], result: "i32" },
  umask: { parameters: ["u32"], result: "u32" },
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof CALLS>["symbols"];

/**
 * The calls. Each is made callable when it is first used: that takes half a millisecond, in each
 * thread anew, and none uses more than a few.
 */
export const libc: Libc = Object.defineProperties({}, everyCall()) as Libc;

function everyCall(): PropertyDescriptorMap {
  const names = Object.keys(CALLS) as (keyof typeof CALLS)[];
  return Object.fromEntries(names.map((name) => {
    const get = () => {
      const value = Deno.dlopen("libc.so.6", { [name]: CALLS[name] }).symbols[name];
      // From now on it is a property like any other, which costs a call nothing.
      Object.defineProperty(libc, name, { value });
      return value;
    };
    return [name, { get, configurable: true, enumerable: true }];
  }));
}
