import { describeAway } from "../../moment.ts";
import { type Html, markup } from "../markup.ts";
import type { Watched } from "../watched.ts";
import { badge, cell, number, rate, stateOf } from "./texts.ts";

/** All proxies, each in a row. @param notShown how many are not, because they are other users' */
export function proxyList(proxies: readonly Watched[], notShown: number, now: number): Html {
  const rows = proxies.map((proxy) => row(proxy, now));
  return markup`
    <table class="list">
      <caption>${summary(proxies)}</caption>
      <thead>
        <tr>
          <th scope="col">Listens at</th>
          <th scope="col">State</th>
          <th scope="col" class="number">Active</th>
          <th scope="col" class="number">Queued</th>
          <th scope="col" class="number">Suspended</th>
          <th scope="col" class="number">New</th>
          <th scope="col" class="number">Up</th>
          <th scope="col" class="number">Down</th>
          <th scope="col">Upstream</th>
          <th scope="col">Owner</th>
          <th scope="col">Until</th>
        </tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
    ${notShown === 0 ? null : ofOthers(notShown)}
  `;
}

function ofOthers(count: number): Html {
  return markup`<p class="note">${count} more ${
    count === 1 ? "is" : "are"
  } not shown, of other users:
    that needs a password (<code>--password-file</code>), as every local user can read this page.</p>`;
}

function summary(proxies: readonly Watched[]): string {
  if (proxies.length === 0) return "No proxy runs";
  const counts = Map.groupBy(proxies, stateOf);
  const states = [...counts].map(([state, those]) => `${those.length} ${state}`);
  return `${proxies.length} ${proxies.length === 1 ? "proxy" : "proxies"}: ${states.join(", ")}`;
}

function row(proxy: Watched, now: number): Html {
  const { name, status, samples, failure } = proxy;
  const path = `/proxy/${encodeURIComponent(name)}`;
  const until = status?.parkedUntil ?? status?.leaseExpires ?? status?.deadline ?? null;
  const { last } = samples;
  const isThere = failure === null;
  return markup`<tr>
    <th scope="row"><a id="to-${name}" href="${path}">${status?.listen ?? name}</a></th>
    ${cell("State", badge(stateOf(proxy)))}
    ${cell("Active", number(isThere ? status?.active : null), "number")}
    ${cell("Queued", number(isThere ? status?.queued : null), "number")}
    ${cell("Suspended", number(isThere ? status?.suspended : null), "number")}
    ${cell("New", last?.accepted === null ? "–" : `${number(last?.accepted)}/s`, "number")}
    ${cell("Up", rate(last?.up), "number")}
    ${cell("Down", rate(last?.down), "number")}
    ${cell("Upstream", status?.upstream ?? "–")}
    ${cell("Owner", status?.owner ?? "–")}
    ${cell("Until", until === null ? "–" : describeAway(Date.parse(until), now))}
  </tr>`;
}
