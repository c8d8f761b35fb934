import { writeAll } from "../../lib/standard_streams.ts";

/** Who something happens to. */
export type Who =
  | "server v1"
  | "server v2"
  | "server v3"
  | "proxy"
  | "proxyctl"
  | "client 1"
  | "client 2";

/** Select Graphic Rendition codes. Source: console_codes(4). */
const COLOURS: Record<Who, number> = {
  "server v1": 33,
  "server v2": 32,
  "server v3": 31,
  "proxy": 35,
  "proxyctl": 35,
  "client 1": 36,
  "client 2": 34,
};
const BOLD = 1;
const DIM = 2;

const WIDEST = Math.max(...Object.keys(COLOURS).map((who) => who.length));

/** Prints what happens, when, and to whom. In colour on a terminal, unless `NO_COLOR` is set. */
export class Timeline {
  readonly #started = performance.now();
  readonly #coloured = Deno.stdout.isTerminal() && !Deno.noColor;

  /** Something happens now. */
  add(who: Who, what: string): void {
    const time = `${((performance.now() - this.#started) / 1000).toFixed(3)} s`.padStart(9);
    const name = this.#paint(who.padEnd(WIDEST), COLOURS[who]);
    this.#print(`${this.#paint(time, DIM)}  ${name}  ${what}`);
  }

  /** Words before and after what happens. */
  say(text: string): void {
    this.#print(this.#paint(text, BOLD));
  }

  /** An empty line, between the parts of the story. */
  pause(): void {
    this.#print("");
  }

  #paint(text: string, code: number): string {
    return this.#coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  #print(line: string): void {
    writeAll(Deno.stdout, `${line}\n`);
  }
}
