/**
 * What is answered to browsers and to Prometheus: nothing can be changed here.
 *
 * @module
 */

import type {
  ControlAnswer,
  ControlRequest,
  Handler,
  Headers,
  Listener,
} from "../control/http/messages.ts";
import { messageOf } from "../message_of.ts";
import { within } from "../within.ts";
import { assetAt, STYLE_HASH } from "./assets.ts";
import { exposition } from "./exposition.ts";
import type { Html } from "./markup.ts";
import { detail, detailParts, notFound, overview, overviewParts, wantedOf } from "./page.ts";
import type { IsAuthorized } from "./password.ts";
import { AT_MOST, type Proxies } from "./proxies.ts";
import { type Shown, tellShown } from "./stream.ts";
import type { Watched } from "./watched.ts";

/** How many can look at a time, so that there is room for others. */
const MOST_LOOKERS = 32;

/** Headers of every answer. */
export const ALWAYS: Headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    `style-src '${STYLE_HASH}'`,
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types page",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cache-control": "no-store",
};

/** Text for Prometheus (prometheus.io/docs/instrumenting/exposition_formats). */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What the site needs. */
export interface SiteParts {
  readonly proxies: Proxies;
  /** Whether a request for this host is meant for us. */
  readonly isHost: (host: string | undefined) => boolean;
  /** `null` if no password is needed. */
  readonly isAuthorized: IsAuthorized | null;
  /** Is told of errors that nobody expected. */
  readonly tell: (message: string) => void;
}

/** Makes the handler of all requests. */
export function siteHandler(parts: SiteParts): Handler {
  const lookers = new Set<object>();
  return async (request) => {
    try {
      return refusal(parts, request) ?? await answer(parts, lookers, request);
    } catch (error) {
      parts.tell(`Failed to serve ${request.path}: ${messageOf(error)}`);
      return plain(500, "Failed to serve the request: proxyctl serve says why");
    }
  };
}

/** Why a request is not answered; `null` if it is. */
function refusal(
  { isHost, isAuthorized }: SiteParts,
  { method, path, headers }: ControlRequest,
): ControlAnswer | null {
  if (!isHost(headers.get("host"))) {
    return plain(421, "This is not the host of that name: see proxyctl serve --allow-host");
  }
  if (method !== "GET" && method !== "HEAD") {
    return plain(405, "Nothing can be changed here: there is only GET and HEAD", {
      allow: "GET, HEAD",
    });
  }
  if (path === "/healthz" || isAuthorized === null || isAuthorized(headers.get("authorization"))) {
    return null;
  }
  return plain(401, "This needs the password of proxyctl serve --password-file", {
    "www-authenticate": 'Basic realm="disnix-tcp-proxy", charset="UTF-8"',
  });
}

async function answer(
  { proxies, tell: complain }: SiteParts,
  lookers: Set<object>,
  { path, query, headers }: ControlRequest,
): Promise<ControlAnswer> {
  const asset = assetAt(path);
  if (asset !== undefined) {
    const { contentType, text } = asset;
    // Its path is another one when it changes.
    return content(contentType, text, { "cache-control": "private, max-age=31536000, immutable" });
  }
  const tell = (shown: Shown) =>
    events(lookers, async (listener) => {
      await tellShown(shown, headers.get("last-event-id"), listener).catch((error: unknown) => {
        complain(`Failed to tell of ${path}: ${messageOf(error)}`);
      });
    });
  switch (path) {
    case "/":
      await proxies.look();
      return page(overview(proxies));
    case "/events": {
      const follow = (changed: () => void) => proxies.follow(changed);
      return tell({ parts: () => overviewParts(proxies), samples: null, follow });
    }
    case "/healthz":
      return plain(200, "ok");
    case "/metrics":
      return content(METRICS_TYPE, await metrics(proxies));
    case "/v1/proxies":
      await proxies.look();
      return content("application/json", JSON.stringify({ proxies: proxies.all.map(view) }));
  }
  const [, name = "", stream] = /^\/proxy\/([^/]+)(\/events)?$/.exec(path) ?? [];
  const proxy = await named(proxies, name);
  if (proxy === undefined) return page(notFound(), 404);
  const wanted = wantedOf(query);
  await within(proxy.look().then(() => proxy.list(wanted)), AT_MOST);
  if (stream === undefined) return page(detail(proxy, wanted));
  const follow = (changed: () => void) => proxy.follow(wanted, changed);
  return tell({ parts: () => detailParts(proxy, wanted), samples: proxy.samples, follow });
}

async function named(proxies: Proxies, encoded: string): Promise<Watched | undefined> {
  let name;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
  // It may have been started just now, or nobody has looked since this process was.
  if (proxies.of(name) === undefined) await proxies.look();
  return proxies.of(name);
}

/** @param tell tells somebody who looks, until nobody does */
function events(
  lookers: Set<object>,
  tell: (listener: Listener) => Promise<void>,
): ControlAnswer {
  if (lookers.size >= MOST_LOOKERS) {
    return plain(503, `${MOST_LOOKERS} look already, and there is no room for more`);
  }
  return {
    status: 200,
    headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
    async body(listener) {
      lookers.add(listener);
      await tell(listener);
      lookers.delete(listener);
    },
  };
}

async function metrics(proxies: Proxies): Promise<string> {
  await proxies.look();
  const listens = Map.groupBy(proxies.all, (one) => one.status?.listen ?? one.name);
  const scraped = [...listens].flatMap(([listen, those]) =>
    those.map(async (one) => {
      const text = one.failure === null ? await one.metrics() : null;
      // A keeper has none; or it has gone by now, or stands still.
      if (text === null) await one.look(0);
      return {
        // In several network namespaces several can listen there.
        listen: those.length === 1 ? listen : `${listen} (${one.directory})`,
        status: one.failure === null ? one.status : null,
        text,
      };
    })
  );
  return exposition(await Promise.all(scraped));
}

function view({ name, directory, status, failure }: Watched) {
  return {
    name,
    directory,
    up: failure === null && status !== null,
    error: failure?.message ?? null,
    status,
  };
}

function page(html: Html, status = 200): ControlAnswer {
  return { ...content("text/html;charset=UTF-8", html.text), status };
}

function plain(status: number, line: string, headers: Headers = {}): ControlAnswer {
  return { ...content("text/plain;charset=UTF-8", `${line}\n`, headers), status };
}

function content(contentType: string, body: string, headers: Headers = {}): ControlAnswer {
  return { status: 200, headers: { "content-type": contentType, ...headers }, body };
}
