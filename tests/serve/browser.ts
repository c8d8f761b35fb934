/**
 * A real browser, where there is one, driven by playwright-core. Of the registry, and not of what the
 * programs are made of: neither it nor axe-core is in `deno.json`, nor in the executables.
 *
 * @module
 */

import { notFetched } from "../support/packages.ts";
import { without } from "../support/tools.ts";

const PLAYWRIGHT = "npm:playwright-core@1.65.1";
const AXE = "npm:axe-core@4.14.1";

/** What is used of a page of playwright-core. */
export interface Page {
  goto(url: string): Promise<unknown>;
  evaluate<T>(expression: string | (() => T | Promise<T>)): Promise<T>;
  locator(
    selector: string,
    options: object,
  ): { first(): { waitFor(options: object): Promise<void> } };
  emulateMedia(options: object): Promise<void>;
  screenshot(options: object): Promise<Uint8Array>;
  on(event: string, listener: (about: Event) => void): void;
  keyboard: { press(key: string): Promise<void> };
  close(): Promise<void>;
}

/** What is used of what it tells of. */
interface Event {
  url?(): string;
  type?(): string;
  text?(): string;
  readonly message?: string;
}

/** What is used of a browser of playwright-core. */
export interface Browser {
  newPage(options?: object): Promise<Page>;
  close(): Promise<void>;
}

/** Why there is none; `null` if there is one. */
export const noBrowser: string | null = without("chromium") ?? await notFetched(PLAYWRIGHT, AXE);

/** A file of a package as it was fetched: imported by its name it would be written into `deno.lock`. */
async function fileOf(specifier: string, file: string): Promise<string> {
  const { npmCache } = JSON.parse(await said(Deno.execPath(), "info", "--json"));
  const [, name, version] = /^npm:(.+)@(.+)$/.exec(specifier) ?? [];
  for (const registry of Deno.readDirSync(npmCache)) {
    const path = `${npmCache}/${registry.name}/${name}/${version}/${file}`;
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error(`There is no ${file} of ${specifier} in ${npmCache}`);
}

async function said(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stdin: "null" }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** Starts one. */
export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import(await fileOf(PLAYWRIGHT, "index.mjs"));
  return await chromium.launch({
    executablePath: await said("sh", "-c", "command -v chromium"),
    // A process that may do little, in a test that may do all.
    args: ["--no-sandbox", "--disable-gpu"],
  });
}

/** What axe-core finds on a page that is serious, as it would say it. @param rules if not all */
export async function seriousOn(page: Page, rules?: readonly string[]): Promise<string[]> {
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  await page.evaluate(await Deno.readTextFile(await fileOf(AXE, "axe.min.js")));
  const { violations } = await page.evaluate<{
    violations: { id: string; impact: string; help: string; nodes: { html: string }[] }[];
  }>(`axe.run(${JSON.stringify(options)})`);
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
}
