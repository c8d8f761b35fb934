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
import { Throttle } from "./throttle.ts";

/** How a line looks. */
export type LogFormat = "text" | "json";

/** The category of all lines. */
const CATEGORY = "disnix-tcp-proxy";
/** What waits to be written when nobody reads the log; further lines are lost, in bytes. */
const MOST_PENDING = 1024 * 1024;

/** Writes a line. What the line says is also given as properties, for the JSON format. */
export type Write = (message: string, properties?: Record<string, unknown>) => void;

/** The log. */
export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warning: Write;
  readonly error: Write;
  /** A failure of the upstream; of many that say the same only a few are written. */
  readonly upstream: Write;
  /** Waits, for a moment at the most, until all is written. */
  flush(): Promise<void>;
}

/** Sets the log up; once in a process. */
export async function openLog(format: LogFormat, level: LogLevel): Promise<Log> {
  const output = new Output();
  const formatter = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getTextFormatter({ timestamp: "rfc3339", category: () => CATEGORY, level: "full" });
  await configure({
    sinks: { stderr: (record: LogRecord) => output.write(formatter(record)) },
    loggers: [
      { category: CATEGORY, sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger(CATEGORY);
  const warning: Write = (message, properties) => logger.warning(escape(message), properties ?? {});
  const upstream = new Throttle(warning);
  return {
    debug: (message, properties) => logger.debug(escape(message), properties ?? {}),
    info: (message, properties) => logger.info(escape(message), properties ?? {}),
    warning,
    error: (message, properties) => logger.error(escape(message), properties ?? {}),
    upstream: (message, properties) => upstream.tell(message, properties),
    async flush() {
      upstream.flush();
      await dispose();
      await output.flush();
    },
  };
}

/** Braces would be taken for placeholders. */
function escape(message: string): string {
  return message.replace(/[{}]/g, "$&$&");
}

/** Stderr, written to in the background: a log that nobody reads must not stop the proxy. */
class Output {
  #pending = 0;
  #lost = 0;
  #written: Promise<void> = Promise.resolve();

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
      this.write(`${lost} lines of the log were lost, because nobody read it\n`);
    });
  }

  async flush(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, 500));
    await Promise.race([this.#written, limit]);
    clearTimeout(timer);
  }
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stderr.write(bytes));
}
