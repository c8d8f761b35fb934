/**
 * Makes the pictures of the documents, in docs/pictures/: of the sources, of a service that is upgraded,
 * and of what was recorded of the bench, if anything was. It needs a Chromium.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { run } from "../../lib/command_line.ts";
import { formatAddress } from "../../lib/address.ts";
import { Failure } from "../../lib/failure.ts";
import { recordedSvg } from "../bench/report/recorded.ts";
import { architecture } from "../documents/architecture.ts";
import { freePort } from "../support/free_port.ts";
import { Scene } from "../support/scene.ts";
import { noBrowser, type Page, startBrowser } from "./browser.ts";
import { site } from "./site.ts";

const folder = new URL("../../docs/pictures/", import.meta.url).pathname;

/** How long each part of the story takes, in milliseconds. */
const PART = 4000;

/** How many clients stay, and how many come while it is drained. */
const CLIENTS = 12;

/** The part of the page that is about the drain. */
const DRAIN = "section[aria-labelledby=drains]";

/** How much there is around a part of the page, in pixels. */
const MARGIN = 16;

const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));

/** A client that says hello now and then. */
class Client {
  readonly #socket: Socket;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(port: number, every: number) {
    this.#socket = connect(port, "127.0.0.1").on("error", () => {});
    this.#socket.resume().write("hello\n");
    this.#timer = setInterval(() => this.#socket.write("hello\n".repeat(40)), every);
  }

  leave(): void {
    clearInterval(this.#timer);
    this.#socket.end("quit\n");
  }
}

async function makePictures(): Promise<void> {
  if (noBrowser !== null) throw new Failure(`No pictures can be made: there is ${noBrowser}`);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}architecture.svg`, await architecture());
  const bench = await recorded();
  if (bench !== null) await Deno.writeTextFile(`${folder}bench.svg`, recordedSvg(bench));
  await using scene = await Scene.open();
  const [service, other, port] = [freePort(), freePort(), freePort()];
  const begin = async (directory: string, at: number) => {
    const listen = formatAddress({ host: "127.0.0.1", port: at });
    const place = ["--runtime-dir", directory];
    const proxy = scene.start("proxy", [listen, `127.0.0.1:${service}`, ...place]);
    await proxy.heard(/Listening/);
  };
  await scene.start("server", [`127.0.0.1:${service}`]).heard(/Listening/);
  const [web, mail] = [join(scene.directory, "web"), join(scene.directory, "mail")];
  await Promise.all([begin(web, port), begin(mail, other)]);
  await using served = await site([web, mail]);
  const browser = await startBrowser();
  const origin = `http://127.0.0.1:${served.address.port}`;
  const open = async (path: string, options: object = {}) => {
    const page = await browser.newPage({ viewport: { width: 1040, height: 900 }, ...options });
    await page.goto(`${origin}${path}`);
    return page;
  };
  const shoot = async (page: Page, name: string, from = "body", to = "body") => {
    const clip = await page.evaluate(`(() => {
      const [from, to] = [${JSON.stringify(from)}, ${JSON.stringify(to)}]
        .map((selector) => document.querySelector(selector).getBoundingClientRect());
      const y = Math.max(0, from.top + scrollY - ${MARGIN});
      return { x: 0, y, width: innerWidth, height: to.bottom + scrollY + ${MARGIN} - y };
    })()`);
    await page.screenshot({ path: `${folder}${name}.png`, fullPage: true, clip });
  };
  const proxyctl = (...args: string[]) =>
    scene.complete("proxyctl", ["--runtime-dir", web, ...args]);
  const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(port, 300 + 90 * index));
  try {
    const light = await open("/proxy/web");
    const dark = await open("/proxy/web", { colorScheme: "dark" });
    const phone = await open("/", { viewport: { width: 390, height: 400 }, isMobile: true });
    await pause(2 * PART);
    const drain = ["--owner", "ann", "--reason", "upgrade to version 2", "--timeout", "1m"];
    const drained = proxyctl("drain", ...drain);
    await pause(PART / 2);
    const late = Array.from({ length: 5 }, () => new Client(port, 1000));
    for (const [index, client] of clients.entries()) {
      if (index === CLIENTS - 3) {
        await pause(PART / 2);
        await shoot(light, "page", "body", DRAIN);
      }
      client.leave();
      await pause(PART / CLIENTS);
    }
    await drained;
    await pause(PART);
    await shoot(phone, "page-phone");
    await proxyctl("resume", "--owner", "ann");
    await pause(PART / 2);
    await shoot(dark, "page-dark", DRAIN);
    await shoot(light, "timeline", DRAIN, DRAIN);
    for (const client of late) client.leave();
  } finally {
    for (const client of clients) client.leave();
    await browser.close();
  }
}

/** What `deno task bench` wrote last, to be kept; `null` if nothing is. */
async function recorded(): Promise<string | null> {
  return await Deno.readTextFile(new URL("../bench/recorded.json", import.meta.url)).catch(() =>
    null
  );
}

if (import.meta.main) {
  await run("pictures", async () => {
    await makePictures();
    for (const { name } of Deno.readDirSync(folder)) {
      // deno-lint-ignore no-console
      console.log(join("docs/pictures", name));
    }
    return 0;
  });
}
