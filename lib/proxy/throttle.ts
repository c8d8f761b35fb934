/** Writes a line. What the line says is also given as properties, for the JSON format. */
export type Write = (message: string, properties?: Record<string, unknown>) => void;

/** How long the same message is only counted after it has been written, in milliseconds. */
const WINDOW = 5000;

interface Window {
  readonly timer: ReturnType<typeof setTimeout>;
  more: number;
}

/** Writes messages that come by the thousand when they come: each once, and then how many more. */
export class Throttle {
  readonly #windows = new Map<string, Window>();

  /** @param write writes a line */
  constructor(private readonly write: Write) {}

  /** Writes a message, or counts it if the same one was written just now. */
  tell(message: string, properties?: Record<string, unknown>): void {
    const window = this.#windows.get(message);
    if (window !== undefined) {
      window.more++;
      return;
    }
    this.#windows.set(message, { timer: setTimeout(() => this.#end(message), WINDOW), more: 0 });
    this.write(message, properties);
  }

  /** Tells now what was only counted. */
  flush(): void {
    for (const message of [...this.#windows.keys()]) this.#end(message);
  }

  #end(message: string): void {
    const window = this.#windows.get(message);
    this.#windows.delete(message);
    clearTimeout(window?.timer);
    const more = window?.more ?? 0;
    if (more > 0) this.write(`${more} more like this: ${message}`, { event: "suppressed", more });
  }
}
