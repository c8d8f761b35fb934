import { libc } from "../../lib/linux/libc.ts";
import { whichBecomesReadable } from "../../lib/linux/poll.ts";
import { PATIENCE } from "../support/patience.ts";
import { sendDatagram } from "../../lib/linux/unix_socket.ts";

const [AF_UNIX, SOCK_DGRAM] = [1, 2];

/** What a service manager listens on, to hear how its services are doing. */
export class NotifySocket implements Disposable {
  /** What it heard. */
  readonly heard: string[] = [];
  readonly #descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);

  /** @param path or a name that begins with `@`, as in `$NOTIFY_SOCKET` */
  constructor(private readonly path: string) {
    const name = new TextEncoder().encode(path.replace(/^@/, "\0"));
    const address = new Uint8Array([AF_UNIX, 0, ...name]);
    if (libc.bind(this.#descriptor, address, address.length) !== 0) {
      throw new Error(`cannot bind ${path}`);
    }
  }

  /** Fills it up with what nobody reads. */
  fill(): void {
    while (sendDatagram(this.path, new Uint8Array(1), 1));
  }

  /**
   * Waits until it has heard something of that kind, so many times.
   *
   * @throws when nothing is heard for that many milliseconds
   */
  async until(pattern: RegExp, times = 1, patience = PATIENCE): Promise<void> {
    const bytes = new Uint8Array(4096);
    while (this.heard.filter((text) => pattern.test(text)).length < times) {
      const readable = await whichBecomesReadable([this.#descriptor], patience);
      if (readable.length === 0) throw new Error(`No ${pattern}, but ${Deno.inspect(this.heard)}`);
      const count = libc.recv(this.#descriptor, bytes, bytes.length, 0);
      this.heard.push(new TextDecoder().decode(bytes.subarray(0, count)));
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#descriptor);
  }
}
