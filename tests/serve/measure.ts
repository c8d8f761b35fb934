/**
 * How fast the page is: `deno run --allow-all tests/serve/measure.ts [ROUNDS]`. How long a tab takes to
 * the first thing that can be read, which has shown something of this host and nothing of the page, and
 * beside that for a page of one word; and how late the page tells of what a proxy does. In milliseconds:
 * the median, the least and the most.
 *
 * @module
 */

import { loadavg } from "node:os";
import { print } from "../../lib/commands/output.ts";
import { Failure } from "../../lib/failure.ts";
import { median } from "../bench/statistics.ts";
import { echo } from "../relay/peer.ts";
import { start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { type Browser, noBrowser, type Page, startBrowser } from "./browser.ts";

const rounds = Number(Deno.args[0] ?? 20);

/** Resolves to when it was that something could be read first, and to what came before that. */
const PAINTED = `new Promise((resolve) => new PerformanceObserver((list) => {
  const [paint] = list.getEntriesByName("first-contentful-paint");
  if (!paint) return;
  const { responseStart, responseEnd, domInteractive } = performance.getEntriesByType("navigation")[0];
  resolve([responseStart, responseEnd, domInteractive, paint.startTime]);
}).observe({ type: "paint", buffered: true }))`;

const PAINTED_PARTS = ["the answer begins", "the answer ends", "it is understood", "first paint"];

if (noBrowser !== null) throw new Failure(`There is ${noBrowser}`);
await using service = await echo();
await using proxy = await Proxy.start(service.address);
await using site = start("proxyctl", [
  ...["--runtime-dir", proxy.directory],
  ...["serve", "--listen", "127.0.0.1:0"],
]);
const [, origin] = await site.heard(/Serving (http:\S+)\//);
const browser = await startBrowser();
try {
  for (const path of ["/healthz", "/", "/proxy/proxy"]) await paint(browser, path);
  await tell(browser);
} finally {
  await browser.close();
}

async function paint(browser: Browser, path: string): Promise<void> {
  const all: number[][] = PAINTED_PARTS.map(() => []);
  for (let round = 0; round < rounds; round++) {
    // A context of its own, which has nothing of it yet.
    const page = await browser.newPage();
    // The tab is there, and has shown something of this host.
    await page.goto(`${origin}/healthz`);
    await page.evaluate(PAINTED);
    await page.goto(`${origin}${path}`);
    const parts = await page.evaluate<number[]>(PAINTED);
    for (const [index, at] of parts.entries()) all[index]?.push(at);
    await page.close();
  }
  for (const [index, what] of PAINTED_PARTS.entries()) say(`${path}: ${what}`, all[index] ?? []);
}

/** How late the page tells, by the clock of this machine, that both of them look at. */
async function tell(browser: Browser): Promise<void> {
  const page = await browser.newPage();
  await page.goto(`${origin}/proxy/proxy`);
  await seen(page, "#live", "Live");
  const late = new Map<string, number[]>();
  /** Does something, and waits until it is told. */
  const told = async <T>(what: string, selector: string, text: string, act: () => Promise<T>) => {
    const at = seen(page, selector, text);
    const result = await act();
    const done = Date.now();
    const all = late.get(what) ?? [];
    late.set(what, all);
    all.push(await at - done);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    const client = await proxy.served();
    let drained: Promise<void> | null = null;
    await told("a drain begins", ".badge.draining", "", async () => {
      drained = proxy.drain();
      await proxy.until(({ state }) => state === "draining");
    });
    await seen(page, "#list .blocks", client.name);
    const held = await told("somebody is held", ".bar.held", "Held: 1", () => proxy.connect());
    await told("it is drained", ".badge.drained", "", async () => {
      client.finish();
      await drained;
    });
    await told("it is resumed", ".badge.open", "", () => proxy.resume());
    held.finish();
    const other = await proxy.served();
    await told("a connection is over", "#list caption", "No connections", () => {
      other.finish();
      return proxy.until(({ active }) => active === 0);
    });
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000));
  }
  for (const [what, all] of late) say(`told that ${what}`, all);
}

/** Waits until an element with this text is there. @returns when, in milliseconds since the epoch */
function seen(page: Page, selector: string, text: string): Promise<number> {
  return page.evaluate<number>(`new Promise((resolve) => {
    const look = () => {
      const all = [...document.querySelectorAll(${JSON.stringify(selector)})];
      if (!all.some(({ textContent }) => textContent.includes(${JSON.stringify(text)}))) return;
      observer.disconnect();
      resolve(Date.now());
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  })`);
}

function say(what: string, numbers: readonly number[]): void {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)].map(Math.round);
  const load = loadavg()[0]?.toFixed(1);
  print(`${what}: ${Math.round(median(numbers))} (${least} to ${most}), at a load of ${load}`);
}
