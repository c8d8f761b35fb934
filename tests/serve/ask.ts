import { once } from "node:events";
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Address } from "../../lib/address.ts";

/** An answer, as it came. */
export interface Answered {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Asks, with whatever is given as the head of the request. */
export async function askRaw({ port }: Address, head: string): Promise<Answered> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`${head}\r\n\r\n`);
  const answer = await text(socket);
  const end = answer.indexOf("\r\n\r\n");
  const [, status = "0"] = /^HTTP\/1\.1 (\d+) /.exec(answer) ?? [];
  return { status: Number(status), headers: answer.slice(0, end), body: answer.slice(end + 4) };
}

/** Asks for a path. */
export function ask(address: Address, path: string, ...headers: string[]): Promise<Answered> {
  return askRaw(address, [`GET ${path} HTTP/1.1`, "Host: localhost", ...headers].join("\r\n"));
}

/** An event of a stream. */
export interface Heard {
  readonly event: string;
  readonly id: string;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

/** Hears what is told to somebody who looks at a page. */
export class Stream implements Disposable {
  readonly #request: ClientRequest;
  readonly #events: AsyncGenerator<Heard, void>;

  constructor({ port }: Address, path: string, headers: Record<string, string> = {}) {
    this.#request = get({ host: "127.0.0.1", port, path, headers, agent: false });
    this.#events = hear(once(this.#request, "response"));
  }

  /** The next event that is such. */
  async until(isIt: (heard: Heard) => boolean): Promise<Heard> {
    for (;;) {
      const { value } = await this.#events.next();
      if (!value) throw new Error("The stream has ended");
      if (isIt(value)) return value;
    }
  }

  /** The next time that a part has this in it. */
  part(id: string, has: RegExp): Promise<Heard> {
    return this.until(({ event, data }) =>
      event === "part" && data.id === id && has.test(data.html)
    );
  }

  [Symbol.dispose](): void {
    this.#request.on("error", () => {}).destroy();
  }
}

async function* hear(answered: Promise<unknown[]>): AsyncGenerator<Heard, void> {
  const [answer] = await answered as [IncomingMessage];
  let rest = "";
  for await (const piece of answer.setEncoding("utf8")) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      if (field("event") === "") continue;
      yield { event: field("event"), id: field("id"), data: JSON.parse(field("data")) };
    }
  }
}
