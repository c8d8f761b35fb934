import type { Address } from "../../lib/address.ts";
import { Peer } from "./peer.ts";

const AF_INET = 2;
const SOCK_STREAM = 1;

/** An address that never answers, as behind a firewall that drops packets. */
export interface SwallowingPort extends Disposable {
  readonly address: Address;
}

/**
 * Makes an address that never answers: a listening socket with the shortest queue there is, and
 * that queue is full.
 */
export async function swallowingPort(): Promise<SwallowingPort> {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    listen: { parameters: ["i32", "i32"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { socket, bind, listen, getsockname, close } = libc.symbols;
  const descriptor = socket(AF_INET, SOCK_STREAM, 0);
  // struct sockaddr_in: the family in the host's byte order, port, address (ip(7)).
  const name = new Uint8Array(16);
  name.set([AF_INET, 0, 0, 0, 127, 0, 0, 1]);
  const length = new Uint8Array(new Uint32Array([name.length]).buffer);
  if (bind(descriptor, name, name.length) !== 0 || listen(descriptor, 0) !== 0) {
    throw new Error("Failed to make a port that swallows");
  }
  getsockname(descriptor, name, length);
  const address = { host: "127.0.0.1", port: new DataView(name.buffer).getUint16(2) };
  const first = await Peer.connect(address);
  return {
    address,
    [Symbol.dispose]() {
      first[Symbol.dispose]();
      close(descriptor);
      libc.close();
    },
  };
}
