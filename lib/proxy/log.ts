/**
 * The proxy's log, on stderr.
 *
 * @module
 */

import {
  configure,
  dispose,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";
import { isJournal, prioritized, PRIORITY } from "../journal.ts";
import { printable, printableLines } from "../printable.ts";
import { within } from "../within.ts";
import { Throttle, type Write } from "./throttle.ts";

/** How a line looks. */
export type LogFormat = "text" | "json";

/** The category of all lines. */
const CATEGORY = "disnix-tcp-proxy";
/** How long the end may wait for what is still to be written, in milliseconds. */
const FLUSH_PATIENCE = 500;
/** What waits to be written when nobody reads the log; further lines are lost, in bytes. */
const MOST_PENDING = 1024 * 1024;

/** The log. */
export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warning: Write;
  readonly error: Write;
  /** A warning that may come by the thousand; of many that say the same only a few are written. */
  readonly frequent: Write;
  /** Waits, for a moment at the most, until all is written. */
  flush(): Promise<void>;
}

/** Sets the log up; once in a process. */
export async function openLog(format: LogFormat, level: LogLevel): Promise<Log> {
  const formatter = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getTextFormatter({ timestamp: "rfc3339", category: () => CATEGORY, level: "full" });
  const inJournal = isJournal();
  const line = (record: LogRecord) => {
    const text = printableLines(formatter(record));
    return inJournal ? prioritized(text, priorityOf(record.level)) : text;
  };
  const output = new Output((lost) => {
    const message = `${lost} lines of the log were lost, because nobody read it`;
    return line({ category: [CATEGORY], ...recordOf("warning", message, { event: "lost", lost }) });
  });
  await configure({
    sinks: { stderr: (record: LogRecord) => output.write(line(record)) },
    loggers: [
      { category: CATEGORY, sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger(CATEGORY);
  const writer = (level: LogLevel): Write => (message, properties = {}) =>
    logger.emit(recordOf(level, message, properties));
  const warning = writer("warning");
  const frequent = new Throttle(warning);
  return {
    debug: writer("debug"),
    info: writer("info"),
    warning,
    error: writer("error"),
    frequent: (message, properties) => frequent.tell(message, properties),
    async flush() {
      frequent.flush();
      await dispose();
      await output.flush();
    },
  };
}

function priorityOf(level: LogLevel): number {
  return PRIORITY[level as keyof typeof PRIORITY] ??
    (level === "trace" ? PRIORITY.debug : PRIORITY.error);
}

/** Not by the library's own methods, which look for placeholders in the message. */
function recordOf(
  level: LogLevel,
  message: string,
  properties: Record<string, unknown>,
): Omit<LogRecord, "category"> {
  const text = printable(message);
  return { level, message: [text], rawMessage: text, timestamp: Date.now(), properties };
}

/** Stderr, written to in the background: a log that nobody reads must not stop the proxy. */
class Output {
  #pending = 0;
  #lost = 0;
  #written: Promise<void> = Promise.resolve();

  /** @param lostLine makes the line that says how many were lost */
  constructor(private readonly lostLine: (lost: number) => string) {}

  write(line: string): void {
    const bytes = new TextEncoder().encode(line);
    if (this.#pending + bytes.length > MOST_PENDING) {
      this.#lost++;
      return;
    }
    this.#pending += bytes.length;
    this.#written = this.#written.then(async () => {
      // A stderr that is gone is no reason to fail.
      await writeAll(bytes).catch(() => {});
      this.#pending -= bytes.length;
      if (this.#pending > 0 || this.#lost === 0) return;
      const lost = this.#lost;
      this.#lost = 0;
      this.write(this.lostLine(lost));
    });
  }

  async flush(): Promise<void> {
    await within(this.#written, FLUSH_PATIENCE);
  }
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stderr.write(bytes));
}
