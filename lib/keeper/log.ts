import { writeRegularFile } from "../regular_file.ts";
import { pathsIn } from "../runtime_directory/paths.ts";

/** How long the log may become until it is begun anew, in bytes. */
const LONGEST = 64 * 1024;

/** The log of keepers, in the runtime directory: they have no terminal, and nobody reads their stderr. */
export class KeeperLog {
  readonly #path: string;

  /** @param directory the runtime directory */
  constructor(directory: string) {
    this.#path = pathsIn(directory).keeperLog;
  }

  /** Writes a line. One that cannot be written is no reason to fail. */
  write(message: string): void {
    const line = `${new Date().toISOString()} keeper ${Deno.pid}: ${message}\n`;
    try {
      const isFull = (sizeOf(this.#path) ?? 0) + line.length > LONGEST;
      writeRegularFile(this.#path, line, isFull ? "instead" : "behind");
    } catch { /* nobody is left to be told */ }
  }
}

function sizeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).size;
  } catch {
    return null;
  }
}
