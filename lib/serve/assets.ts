/**
 * The files that the page is made of, as they are embedded.
 *
 * @module
 */

import { createHash } from "node:crypto";
import plotScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import plotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import icon from "./assets/icon.svg" with { type: "text" };
import style from "./assets/page.css" with { type: "text" };
import script from "./assets/page.js" with { type: "text" };

/** A file. */
export interface Asset {
  readonly contentType: string;
  readonly text: string;
}

/** How the page looks. It stands in the page itself: the first paint waits for it. */
export const STYLE = `${plotStyle}\n${style}`;

/** What a Content-Security-Policy calls it by. */
export const STYLE_HASH = `sha256-${createHash("sha256").update(STYLE).digest("base64")}`;

/** By their names. */
const ASSETS: Readonly<Record<string, Asset>> = {
  "page.js": { contentType: "text/javascript;charset=UTF-8", text: script },
  "uplot.js": {
    contentType: "text/javascript;charset=UTF-8",
    text: `${plotScript}\nexport default uPlot;\n`,
  },
  "icon.svg": { contentType: "image/svg+xml", text: icon },
};

/** By their paths, which are others when they are changed. */
const BY_PATH: ReadonlyMap<string, Asset> = new Map(
  Object.entries(ASSETS).map(([name, asset]) => [pathOf(name, asset), asset]),
);

/** Where a file is found. */
export function assetPath(name: string): string {
  return pathOf(name, ASSETS[name] ?? { contentType: "", text: "" });
}

/** The file at a path. */
export function assetAt(path: string): Asset | undefined {
  return BY_PATH.get(path);
}

function pathOf(name: string, { text }: Asset): string {
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return `/assets/${hash}/${name}`;
}
