import assert from "node:assert/strict";
import { Proxy } from "../support/proxy.ts";
import { PATIENCE } from "../support/patience.ts";
import { isLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { noBrowser, startBrowser } from "./browser.ts";
import { site } from "./site.ts";

/** How many connections there are, as far as descriptors allow: two of each are the proxy's, and two ours. */
const CROWD = Math.min(10_000, Math.floor(await descriptors() / 2) - 800);

/** For how long the page is looked at, in milliseconds. */
const LOOK = 20_000;

async function descriptors(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -Hn"] }).output();
  const said = new TextDecoder().decode(stdout).trim();
  return said === "unlimited" ? Infinity : Number(said);
}

/** How much of a processor a process has used, in milliseconds: fields 14 and 15 of proc(5). */
async function used(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** A service that lets everybody stay. */
function staying() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const all: Deno.Conn[] = [];
  void (async () => {
    for await (const one of listener) all.push(one);
  })().catch(() => {});
  const { port } = listener.addr as Deno.NetAddr;
  return {
    address: { host: "127.0.0.1", port },
    [Symbol.dispose]() {
      listener.close();
      for (const one of all) one.close();
    },
  };
}

testWith(
  isLong ? noBrowser : "only with LONG",
  `with ${CROWD} connections, the page shows those that are asked for, and the proxy hardly notices`,
  async () => {
    using service = staying();
    await using proxy = await Proxy.start(service.address, { args: ["--log-level=info"] });
    await using served = await site([proxy.directory]);
    const clients: Deno.Conn[] = [];
    const browser = await startBrowser();
    try {
      for (let count = 0; count < CROWD; count += 100) {
        const { host: hostname, port } = proxy.address;
        clients.push(
          ...await Promise.all(Array.from({ length: 100 }, () => Deno.connect({ hostname, port }))),
        );
      }
      await proxy.until(({ active }) => active === clients.length);
      const page = await browser.newPage();
      const shown = [
        ["sort=idle", `50 of ${clients.length.toLocaleString("en")}`],
        ["group=peer", "1 peer"],
      ];
      for (const [query, caption] of shown) {
        await page.goto(`http://127.0.0.1:${served.address.port}/proxy/proxy?${query}`);
        await page.locator("#list caption", { hasText: caption }).first()
          .waitFor({ timeout: PATIENCE });
        const before = await used(proxy.process.pid);
        await new Promise((resolve) => setTimeout(resolve, LOOK));
        const share = (await used(proxy.process.pid) - before) / LOOK;
        assert.ok(
          await page.evaluate<number>("document.querySelectorAll('#list tr').length") <= 51,
        );
        // It was seen to be 0.006 and 0.015 with 9200 connections.
        assert.ok(share < 0.04, `${share} of a processor`);
      }
    } finally {
      await browser.close();
      for (const one of clients) one.close();
    }
  },
);
