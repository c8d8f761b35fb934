/**
 * Sockets for the tests of lib/linux: descriptors, and peers of them that are not made of it.
 *
 * @module
 */

import { libc } from "../../lib/linux/libc.ts";
import { listen, localAddress } from "../../lib/linux/socket.ts";
import { eventually } from "../relay/waiting.ts";

/** A descriptor that is given back at the end of a test, unless the test has done so. */
export class Descriptor implements Disposable {
  #isOpen = true;

  constructor(readonly number: number) {}

  /** Leaves it to somebody else to close it. */
  release(): number {
    this.#isOpen = false;
    return this.number;
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) libc.close(this.number);
    this.#isOpen = false;
  }
}

/** A socket that listens on 127.0.0.1, or elsewhere. */
export function listening(
  host = "127.0.0.1",
  backlog = 16,
): Descriptor & { readonly port: number } {
  const descriptor = new Descriptor(listen({ host, port: 0 }, true, backlog));
  return Object.assign(descriptor, { port: localAddress(descriptor.number).port });
}

/** What the next client of a listening socket is connected with. */
export async function accept(listener: Descriptor): Promise<Descriptor> {
  const length = new Uint8Array(4);
  let descriptor = -1;
  const accepted = () => {
    descriptor = libc.accept4(listener.number, new Uint8Array(28), length, 0);
    return descriptor >= 0;
  };
  await eventually(accepted, "a client");
  return new Descriptor(descriptor);
}

/** An option of a socket, as the kernel has it. */
export function optionOf(
  descriptor: Pick<Descriptor, "number">,
  level: number,
  option: number,
): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  const length = new Uint8Array(new Uint32Array([4]).buffer);
  if (libc.getsockopt(descriptor.number, level, option, bytes, length) !== 0) {
    throw new Error(`Failed to get option ${option} of a socket`);
  }
  return value[0] ?? 0;
}
