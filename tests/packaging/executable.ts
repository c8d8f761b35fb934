/**
 * Reads what `deno compile` put into an executable.
 *
 * @module
 */

/** What an executable was told to be. */
export interface Metadata {
  readonly argv: readonly string[];
  readonly permissions: Readonly<Record<string, readonly string[] | boolean | null>>;
  readonly entrypoint_key: string;
  /** Not there before Deno 2.9. */
  readonly app_name?: string;
  /** Of V8's cache of compiled code in the folder for temporary files; `null` if it has none. */
  readonly code_cache_key: unknown;
  readonly otel_config: { readonly tracing_enabled: boolean; readonly metrics_enabled: boolean };
}

/** A file in an executable. */
export interface EmbeddedFile {
  /** Relative to the top of the repository. */
  readonly path: string;
  /** When it was last changed, in milliseconds since the epoch. */
  readonly time: number;
}

type Entry =
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] } }
  | { readonly File: { readonly n: string; readonly t: number } };

/** What stands before the metadata, once or (as of Deno 2.9) twice, and its length in 8 bytes. */
const BEGIN = /(?:d3n0l4nd){1,2}[^]{8}(?=\{"argv")/;

/** @throws when the file is no executable of `deno compile` */
export async function readExecutable(
  path: string,
): Promise<{ metadata: Metadata; files: EmbeddedFile[] }> {
  // One byte, one character: all that is looked for is ASCII.
  const text = new TextDecoder("latin1").decode(await Deno.readFile(path));
  const begin = BEGIN.exec(text);
  if (begin === null) throw new Error(`${path} has nothing embedded`);
  const start = begin.index + begin[0].length;
  const metadata = jsonAt(text, start) as Metadata;
  const entries = jsonAt(
    text,
    start + text.slice(start).search(/\[\{"(?:Dir|File)":/),
  ) as readonly Entry[];
  return { metadata, files: filesIn(entries, "") };
}

function filesIn(entries: readonly Entry[], above: string): EmbeddedFile[] {
  return entries.flatMap((entry) => {
    if ("File" in entry) return { path: `${above}${entry.File.n}`, time: entry.File.t };
    return "Dir" in entry ? filesIn(entry.Dir.e, `${above}${entry.Dir.n}/`) : [];
  });
}

/** The JSON value that begins there, whatever follows it. */
function jsonAt(text: string, start: number): unknown {
  let depth = 0;
  let inString = false;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    if (depth === 0) return JSON.parse(text.slice(start, index + 1));
  }
  throw new Error("What is embedded ends in the middle of a value");
}
