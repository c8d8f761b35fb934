/**
 * The page: as it is at first, and in parts that change.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import { assetPath, STYLE } from "./assets.ts";
import { Html, markup } from "./markup.ts";
import type { Proxies } from "./proxies.ts";
import { connectionControls, connectionList, LIMITS, queryOf } from "./views/connections.ts";
import { drainHistory } from "./views/history.ts";
import { proxyList } from "./views/proxy_list.ts";
import { figures, stateLine } from "./views/state.ts";
import { timeline } from "./views/timeline.ts";
import type { Wanted, Watched } from "./watched.ts";

/** What a page has that changes, by the ids of its elements. */
export type Parts = Readonly<Record<string, Html>>;

/** Reads which connections somebody wants to see; what is not understood is as if it was not said. */
export function wantedOf(query: URLSearchParams): Wanted {
  const sort = query.get("sort");
  const limit = Number(query.get("limit"));
  return {
    sort: sort === "idle" || sort === "bytes" ? sort : "age",
    limit: LIMITS.find((one) => one === limit) ?? LIMITS[0],
    group: query.get("group") === "peer",
  };
}

/** The parts of the page with all proxies. */
export function overviewParts(proxies: Proxies): Parts {
  return { proxies: proxyList(proxies.all, proxies.notShown, Date.now()) };
}

/** The page with all proxies. */
export function overview(proxies: Proxies): Html {
  const parts = overviewParts(proxies);
  return shell(
    "Proxies",
    "/events",
    markup`
      <section aria-labelledby="all">
        <h1 id="all">Proxies</h1>
        <div id="proxies">${parts["proxies"] ?? null}</div>
      </section>
    `,
  );
}

/** The parts of the page of one proxy. */
export function detailParts(proxy: Watched, wanted: Wanted): Parts {
  const now = Date.now();
  return {
    state: stateLine(proxy, now),
    figures: figures(proxy, now),
    drain: timeline(proxy, now),
    list: connectionList(proxy.listed(wanted), wanted, proxy.status),
    history: drainHistory(proxy.history, now),
  };
}

/** The page of one proxy. */
export function detail(proxy: Watched, wanted: Wanted): Html {
  const parts = detailParts(proxy, wanted);
  const name = proxy.status?.listen ?? proxy.name;
  const part = (id: string) => markup`<div id="${id}">${parts[id] ?? null}</div>`;
  const section = (id: string, title: string, content: Html) =>
    markup`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>`;
  return shell(
    name,
    `/proxy/${encodeURIComponent(proxy.name)}/events?${queryOf(wanted)}`,
    markup`<h1>${name}</h1>
    ${part("state")}${part("figures")}
    ${
      section(
        "plots",
        "The last minutes",
        markup`
          <div class="plots">
            <div id="plot-connections" class="plot" role="img"
              aria-label="Plot of active, queued and suspended connections"></div>
            <div id="plot-bytes" class="plot" role="img"
              aria-label="Plot of bytes a second, up and down"></div>
          </div>
          <noscript><p class="note">The plots, and whatever happens from now on, need JavaScript; reload
                  the page to see how it is then.</p></noscript>
        `,
      )
    }
    ${section("drains", "The drain", part("drain"))}
    ${section("connections", "Connections", markup`${connectionControls(wanted)}${part("list")}`)}
    ${section("past", "Drains that were", part("history"))}`,
  );
}

function shell(title: string, events: string, main: Html): Html {
  return markup`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <title>${title} – disnix-tcp-proxy</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="${assetPath("icon.svg")}" type="image/svg+xml">
        <style>${new Html(STYLE)}</style>
        <script type="module" src="${assetPath("page.js")}"></script>
      </head>
      <body data-events="${events}" data-plotter="${assetPath("uplot.js")}">
        <a class="skip" href="#main">To the content</a>
        <header>
          <nav aria-label="Proxies"><a class="home" href="/">disnix-tcp-proxy</a></nav>
          <p id="live" role="status">As of ${new Date().toISOString().slice(11, 19)}Z</p>
        </header>
        <main id="main">
    ${main}
        </main>
        <footer>
          <p>proxyctl ${VERSION} · <a href="/v1/proxies">JSON</a> · <a href="/metrics">metrics</a></p>
        </footer>
      </body>
    </html>
  `;
}

/** The page that says that there is no such one. */
export function notFound(): Html {
  return shell(
    "Not found",
    "/events",
    markup`
      <h1>Not found</h1>
      <p>There is no such page. A proxy that was here may have been gone for long:
          <a href="/">all proxies</a>.</p>
    `,
  );
}
