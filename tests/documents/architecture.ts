/**
 * The rooms of the sources, and which of them knows which: a picture made of the imports.
 *
 * @module
 */

import { moduleGraph } from "../support/module_graph.ts";

const ENTRY_POINTS = ["server.ts", "client.ts", "proxy.ts", "proxyctl.ts"];

/** How large a room is, and how far it is from the others, in pixels. */
const [WIDTH, HEIGHT, ACROSS, DOWN] = [172, 34, 24, 46];

/** Where a room is drawn. */
interface Place {
  readonly x: number;
  readonly y: number;
}

/** Draws them, as SVG: those that know others above them. */
export async function architecture(): Promise<string> {
  const known = reduced(await rooms());
  const floors = Map.groupBy(known.keys(), (room) => height(room, known));
  const widest = Math.max(...[...floors.values()].map(({ length }) => length));
  const [wide, high] = [widest * (WIDTH + ACROSS) + ACROSS, floors.size * (HEIGHT + DOWN) + 10];
  const places = new Map<string, Place>();
  for (const [floor, those] of floors) {
    const left = (wide - those.length * (WIDTH + ACROSS) + ACROSS) / 2;
    const y = high - (floor + 1) * (HEIGHT + DOWN) + DOWN - 5;
    those.sort().forEach((room, at) => places.set(room, { x: left + at * (WIDTH + ACROSS), y }));
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${high}" role="img" aria-label="Rooms of the sources, each above those that it knows">
<style>
svg { font: 14px system-ui, sans-serif; --line: #8a94a3; --room: #f4f6f9; --text: #1a2029 }
@media (prefers-color-scheme: dark) { svg { --line: #6d7887; --room: #1b212a; --text: #e6eaf0 } }
rect { fill: var(--room); stroke: var(--line) } path { fill: none; stroke: var(--line) }
text { fill: var(--text); text-anchor: middle }
</style>
${
    [...known].flatMap(([room, others]) => [...others].map((other) => arrow(places, room, other)))
      .join("\n")
  }
${[...places].map(([room, { x, y }]) => box(room, x, y)).join("\n")}
</svg>
`;
}

function box(room: string, x: number, y: number): string {
  const [middle, base] = [x + WIDTH / 2, y + HEIGHT / 2 + 5];
  return `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="5"/>` +
    `<text x="${middle}" y="${base}">${room}</text>`;
}

function arrow(places: ReadonlyMap<string, Place>, from: string, to: string): string {
  const [above, below] = [places.get(from), places.get(to)];
  if (above === undefined || below === undefined) return "";
  const [x1, y1, x2, y2] = [above.x + WIDTH / 2, above.y + HEIGHT, below.x + WIDTH / 2, below.y];
  const bend = (y2 - y1) / 2;
  return `<path d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}"/>`;
}

/** Which rooms each room imports from. What all of them share is left out. */
async function rooms(): Promise<Map<string, Set<string>>> {
  const known = new Map<string, Set<string>>();
  for (const [path, imports] of await moduleGraph(...ENTRY_POINTS)) {
    const room = roomOf(path);
    if (room === null) continue;
    const others = known.get(room) ?? new Set();
    known.set(room, others);
    for (const { path } of imports) {
      const other = roomOf(path);
      if (other !== null && other !== room) others.add(other);
    }
  }
  return known;
}

function roomOf(path: string): string | null {
  if (ENTRY_POINTS.includes(path)) return path.replace(".ts", "");
  return /^(lib\/\w+)\/.*\.ts$/.exec(path)?.[1] ?? null;
}

/** Without what a room knows by way of others as well. */
function reduced(known: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  const reaches = (from: string, to: string): boolean =>
    [...known.get(from) ?? []].some((one) => one === to || reaches(one, to));
  return new Map([...known].map(([room, others]) => [
    room,
    new Set([...others].filter((one) => ![...others].some((way) => reaches(way, one)))),
  ]));
}

/** How many rooms are below one, one upon the other. */
function height(room: string, known: ReadonlyMap<string, ReadonlySet<string>>): number {
  return Math.max(-1, ...[...known.get(room) ?? []].map((one) => height(one, known))) + 1;
}
