/**
 * A bare TCP client for tests, which sees exactly what a server sends and how it closes.
 *
 * @module
 */

/** One connection. Disposing of it closes it. */
export class Peer implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #text = new TextDecoder();
  #received = "";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname, port }));
  }

  /** Sends all of this. */
  async send(data: string | Uint8Array): Promise<void> {
    let bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (bytes.length > 0) bytes = bytes.subarray(await this.#connection.write(bytes));
  }

  /** Ends our side. */
  async end(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Waits for the next so many characters. @throws when the other side ends, or resets, before */
  async next(length: number): Promise<string> {
    while (this.#received.length < length) {
      if (!await this.#read()) throw new Error(`Ended after ${JSON.stringify(this.#received)}`);
    }
    const text = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return text;
  }

  /** Says hello and waits for the greeting. */
  async greet(greeting = "Hello world!\r\n"): Promise<void> {
    await this.send("hello\r\n");
    const answer = await this.next(greeting.length);
    if (answer !== greeting) throw new Error(`Greeted with ${JSON.stringify(answer)}`);
  }

  /** Waits for the end of the other side. @returns all before it @throws at a reset */
  async rest(): Promise<string> {
    while (await this.#read());
    const text = this.#received;
    this.#received = "";
    return text;
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch { /* it is closed */ }
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    this.#received += this.#text.decode(buffer.subarray(0, count), { stream: true });
    return true;
  }
}
