import { createSocket, type Socket } from "node:dgram";

/** Flags of an answer: it is one, recursion was wanted and is available (RFC 1035, 4.1.1). */
const ANSWER = 0x8180;
/** There is no such name. */
const NXDOMAIN = 3;
/** An IPv4 address (RFC 1035, 3.2.2), of the internet. */
const TYPE_A = 1;
const HEADER = 12;

/**
 * A name server for one process: it knows one name, and says what the test wants. It has an address
 * of 127.0.0.0/8 to itself, so that many can run at the same time. That takes root.
 */
export class NameServer implements AsyncDisposable {
  /** What the name means; `null`: there is no such name. */
  address: string | null = null;
  /** Whether it hears questions and says nothing. */
  isSilent = false;
  /** How often an IPv4 address was asked for. */
  questions = 0;

  private constructor(
    readonly socket: Socket,
    private readonly file: string,
  ) {}

  /** Starts one. */
  static async start(): Promise<NameServer> {
    const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
    const host = `127.${a}.${b}.${1 + c % 254}`;
    const socket = createSocket("udp4");
    const bound = Promise.withResolvers<void>();
    socket.once("error", bound.reject);
    socket.bind(53, host, bound.resolve);
    await bound.promise;
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, `nameserver ${host}\noptions timeout:1 attempts:5\n`);
    const server = new NameServer(socket, file);
    socket.on("message", (question, { port, address }) => {
      const answer = server.#answer(question);
      if (answer !== null) socket.send(answer, port, address);
    });
    return server;
  }

  /** Words before a command that has it ask this server, and nobody else in the system. */
  get through(): string[] {
    const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
    return ["unshare", "--mount", "sh", "-c", script, this.file];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(resolve));
    await Deno.remove(this.file);
  }

  #answer(question: Uint8Array): Uint8Array | null {
    const view = new DataView(question.buffer, question.byteOffset, question.byteLength);
    // One question: labels, each with its length before it, then type and class.
    let end = HEADER;
    while (question[end] !== 0) end += 1 + (question[end] ?? 0);
    const isIPv4 = view.getUint16(end + 1) === TYPE_A;
    end += 5;
    if (isIPv4) this.questions++;
    if (this.isSilent) return null;
    const numbers = isIPv4 && this.address !== null ? this.address.split(".").map(Number) : null;
    const answer = new Uint8Array(end + (numbers === null ? 0 : 16));
    answer.set(question.subarray(0, end));
    const header = new DataView(answer.buffer);
    header.setUint16(2, ANSWER | (this.address === null ? NXDOMAIN : 0));
    header.setUint16(6, numbers === null ? 0 : 1);
    // No authorities, and nothing of what the question had besides.
    header.setUint32(8, 0);
    // The name is the one at the header's end; its type, its class, no time to live, four bytes.
    if (numbers !== null) {
      answer.set([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...numbers], end);
    }
    return answer;
  }
}
