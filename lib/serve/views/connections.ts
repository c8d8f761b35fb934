import type { ConnectionView, PeerView, Status } from "../../control/api.ts";
import { BECAUSE } from "../../control/ties.ts";
import { type Html, markup } from "../markup.ts";
import type { Listed, Wanted } from "../watched.ts";
import { bytes, cell, duration, number } from "./texts.ts";

/** How many connections can be shown at once. */
export const LIMITS = [50, 200, 1000] as const;

const SORTS = [["age", "Age"], ["idle", "Idle"], ["bytes", "Bytes"]] as const;

/** What stands behind the path of a page that shows these. */
export function queryOf({ sort, limit, group }: Wanted): string {
  return new URLSearchParams({ sort, limit: `${limit}`, ...(group && { group: "peer" }) })
    .toString();
}

/** How the list of connections can be changed. */
export function connectionControls(wanted: Wanted): Html {
  const link = (to: Wanted, text: string, isNow: boolean) =>
    isNow
      ? markup`<a aria-current="true" href="?${queryOf(to)}#connections">${text}</a>`
      : markup`<a href="?${queryOf(to)}#connections">${text}</a>`;
  const sorts = SORTS.map(([sort, text]) =>
    link({ ...wanted, sort, group: false }, text, !wanted.group && wanted.sort === sort)
  );
  const limits = LIMITS.map((limit) =>
    link({ ...wanted, limit }, `${limit}`, wanted.limit === limit)
  );
  return markup`<nav class="controls" aria-label="Connections">
    <span>Most</span> ${sorts} ${link({ ...wanted, group: true }, "By peer", wanted.group)}
    <span>at most</span> ${limits}
  </nav>`;
}

/** The connections that are wanted, in a table. */
export function connectionList(listed: Listed | null, wanted: Wanted, status: Status | null): Html {
  if (listed === null) return markup`<p class="note">They cannot be listed now.</p>`;
  if ("peers" in listed) return peerTable(listed.peers, wanted.limit);
  const all = (status?.active ?? 0) + (status?.suspended ?? 0);
  const shown = listed.connections.length;
  const caption = shown === 0
    ? "No connections"
    : all > shown
    ? `${number(shown)} of ${number(all)}, those first that have the most ${of(wanted.sort)}`
    : `${number(shown)} ${shown === 1 ? "connection" : "connections"}`;
  return markup`
    <table class="list">
      <caption>${caption}</caption>
      <thead>
        <tr>
          <th scope="col">Peer</th><th scope="col">State</th><th scope="col">Upstream</th>
          ${head("Age", wanted.sort === "age")}${head("Idle", wanted.sort === "idle")}
          ${head("Up", wanted.sort === "bytes")}${head("Down", wanted.sort === "bytes")}
          <th scope="col">Never suspended because</th><th scope="col" class="number">Id</th>
        </tr>
      </thead>
      <tbody>${listed.connections.map((one) => row(one, status?.state === "draining"))}</tbody>
    </table>
  `;
}

function of(sort: Wanted["sort"]): string {
  return { age: "age", idle: "idle time", bytes: "bytes" }[sort];
}

function head(text: string, isSorted: boolean): Html {
  return isSorted
    ? markup`<th scope="col" class="number" aria-sort="descending">${text}</th>`
    : markup`<th scope="col" class="number">${text}</th>`;
}

function row(one: ConnectionView, drains: boolean): Html {
  const isInTheWay = drains && one.heldSince === null;
  return markup`<tr class="${isInTheWay ? "blocks" : ""}">
    <th scope="row">${one.peer}</th>
    ${cell("State", isInTheWay ? markup`${one.state}, <strong>in the way</strong>` : one.state)}
    ${cell("Upstream", one.upstream)}
    ${cell("Age", duration(one.ageSeconds), "number")}
    ${cell("Idle", duration(one.idleSeconds), "number")}
    ${cell("Up", bytes(one.bytesUp), "number")}
    ${cell("Down", bytes(one.bytesDown), "number")}
    ${cell("Never suspended because", one.tied ? BECAUSE[one.tied] ?? one.tied : "–")}
    ${cell("Id", `${one.id}`, "number")}
  </tr>`;
}

function peerTable(peers: readonly PeerView[], limit: number): Html {
  const caption = peers.length === 0
    ? "No connections"
    : `${number(peers.length)} ${peers.length === 1 ? "peer" : "peers"}${
      peers.length === limit ? ", those first that have the most connections" : ""
    }`;
  return markup`
    <table class="list">
      <caption>${caption}</caption>
      <thead>
        <tr>
          <th scope="col">Peer</th>
          <th scope="col" class="number" aria-sort="descending">Connections</th>
          <th scope="col" class="number">Oldest</th>
          <th scope="col" class="number">Longest idle</th>
          <th scope="col" class="number">Up</th>
          <th scope="col" class="number">Down</th>
        </tr>
      </thead>
      <tbody>${
    peers.map((one) =>
      markup`<tr>
        <th scope="row">${one.peer}</th>
        ${cell("Connections", number(one.connections), "number")}
        ${cell("Oldest", duration(one.oldestSeconds), "number")}
        ${cell("Longest idle", duration(one.longestIdleSeconds), "number")}
        ${cell("Up", bytes(one.bytesUp), "number")}
        ${cell("Down", bytes(one.bytesDown), "number")}
      </tr>`
    )
  }</tbody>
    </table>
  `;
}
