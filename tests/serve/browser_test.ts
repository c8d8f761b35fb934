import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { isLong, onlyForLong } from "../support/long.ts";
import { PATIENCE } from "../support/patience.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { noBrowser, type Page, seriousOn, startBrowser } from "./browser.ts";
import { site } from "./site.ts";

/** As a browser would obey it. */
const EVIL = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

/** Waits until a selector has an element with this text in it. */
async function shows(page: Page, selector: string, text = ""): Promise<void> {
  const one = page.locator(selector, text === "" ? {} : { hasText: text }).first();
  await one.waitFor({ state: "attached", timeout: PATIENCE });
}

testWith(
  onlyForLong ?? noBrowser ?? whyNoEpoll(),
  "in a browser, the page tells what happens",
  async (t) => {
    await using service = await echo();
    await using first = await Proxy.start(service.address);
    const { directory } = first;
    let served = await site([directory]);
    const origin = `http://127.0.0.1:${served.address.port}`;
    const browser = await startBrowser();
    const wrong: string[] = [];
    /** Once nobody is to be found under the address, the browser says so. */
    let mayBeGone = false;
    const open = async (path: string, options: object = {}) => {
      const page = await browser.newPage(options);
      page.on("console", (message) => {
        const [type, text = ""] = [message.type?.(), message.text?.()];
        if (type === "error" && !(mayBeGone && text.includes("net::ERR"))) wrong.push(text);
      });
      page.on("pageerror", ({ message = "" }) => wrong.push(message));
      page.on("request", (request) => {
        if (!request.url?.().startsWith(origin)) wrong.push(`asked for ${request.url?.()}`);
      });
      await page.goto(`${origin}${path}`);
      return page;
    };
    const stepForLong = (name: string, fn: () => Promise<void>) =>
      t.step({ name, ignore: !isLong, fn });
    try {
      const page = await open("/proxy/proxy");

      await t.step(
        "that a drain begins, who is in the way, who is held, and how it ends",
        async () => {
          await shows(page, "#live", "Live");
          await shows(page, ".badge.open");
          const client = await first.served();
          const drained = first.drain({ owner: EVIL, reason: EVIL });
          await shows(page, ".badge.draining");
          await shows(page, ".bar.inTheWay", client.name);
          await shows(page, "#list .blocks", client.name);
          using held = await first.connect();
          await held.send("hi");
          await shows(page, ".bar.held", "Held: 1");
          client.finish();
          await drained;
          await shows(page, ".badge.drained");
          await shows(page, ".steps", "Drained, after");
          await first.resume({ owner: EVIL });
          await shows(page, ".badge.open");
          await shows(page, ".steps", "Resumed: 1 held");
          await shows(page, "#history td", EVIL);
          assert.equal(await held.read(2), "hi");
          assert.equal(await page.evaluate("window.hacked"), undefined);
          await shows(page, "#plot-connections canvas");
          await shows(page, "#plot-bytes canvas");
        },
      );

      await stepForLong("and the focus stays where it is meanwhile, also on a phone", async () => {
        const narrow = await open("/", { viewport: { width: 390, height: 800 }, isMobile: true });
        await narrow.keyboard.press("Tab");
        assert.equal(await narrow.evaluate("document.activeElement.className"), "skip");
        await narrow.evaluate("document.querySelector('#to-proxy').focus()");
        const client = await first.served();
        await shows(narrow, "[data-head=Active]", "1");
        client.reset();
        await shows(narrow, "[data-head=Active]", "0");
        assert.equal(await narrow.evaluate("document.activeElement.id"), "to-proxy");
        const wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert.equal(await narrow.evaluate(wide), 0);
        await narrow.goto(`${origin}/proxy/proxy`);
        assert.equal(await narrow.evaluate(wide), 0);
        await narrow.close();
      });

      await stepForLong(
        "without anything that is hard to perceive, in light and dark",
        async () => {
          // It is asked by a script that the page itself would not let in.
          const looked = await open("/", { bypassCSP: true });
          assert.deepEqual(await seriousOn(looked), []);
          await looked.goto(`${origin}/proxy/proxy`);
          assert.deepEqual(await seriousOn(looked), []);
          await looked.emulateMedia({ colorScheme: "dark" });
          assert.deepEqual(await seriousOn(looked, ["color-contrast"]), []);
          await looked.close();
        },
      );

      await t.step("through an upgrade, a park, and the start of the next proxy", async () => {
        const { code, stderr } = await first.ctl(["upgrade"]);
        assert.equal(code, 0, stderr);
        const { pid } = await first.status();
        await shows(page, ".figures dd", `${pid}`);
        await first.drain();
        await shows(page, ".badge.drained");
        const parked = await first.ctl(["park"]);
        assert.equal(parked.code, 0, parked.stderr);
        Deno.kill(pid, "SIGTERM");
        await shows(page, ".badge.parked");
        await using next = await Proxy.start(service.address, { directory });
        await shows(page, ".badge.drained");
        await next.resume();
        await shows(page, ".badge.open");
        next.process.kill("SIGKILL");
        await shows(page, ".badge.away");
      });

      await stepForLong("and comes back by itself to a server that was restarted", async () => {
        mayBeGone = true;
        const { port } = served.address;
        await served[Symbol.asyncDispose]();
        await shows(page, "#live.lost");
        served = await site([directory], { listen: { host: "127.0.0.1", port } });
        await shows(page, "#live", "Live");
        assert.equal(await page.evaluate("document.querySelectorAll('#live.lost').length"), 0);
      });

      assert.deepEqual(wrong, []);
    } finally {
      await browser.close();
      await served[Symbol.asyncDispose]();
    }
  },
);
