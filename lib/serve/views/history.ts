import type { PastDrain } from "../../drain/past_drain.ts";
import { type Html, markup } from "../markup.ts";
import { cell, duration, moment, number } from "./texts.ts";

/** The drains that were, the last one first. */
export function drainHistory(drains: readonly PastDrain[], now: number): Html {
  if (drains.length === 0) return markup`<p class="note">No drain is remembered.</p>`;
  return markup`
    <table class="list">
      <caption>The last ${drains.length === 1 ? "one" : number(drains.length)}</caption>
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Outcome</th>
          <th scope="col" class="number">Took</th>
          <th scope="col" class="number">In the way</th>
          <th scope="col" class="number">Cut</th>
          <th scope="col" class="number">Held</th>
          <th scope="col" class="number">Longest</th>
          <th scope="col">Ended by</th>
          <th scope="col">Owner</th>
          <th scope="col">Reason</th>
        </tr>
      </thead>
      <tbody>${drains.toReversed().map((one) => row(one, now))}</tbody>
    </table>
  `;
}

function row(one: PastDrain, now: number): Html {
  const { outcome, held, longestHoldSeconds } = one;
  const blockers = one.blockers.map(({ peer }) => peer).join(", ");
  const active = one.active === 0 ? "0" : markup`${number(one.active)} <small>${blockers}</small>`;
  return markup`<tr>
    <th scope="row">${moment(Date.parse(one.since), now)}</th>
    ${cell("Outcome", outcome, outcome === "drained" ? "" : "trouble")}
    ${cell("Took", duration(one.tookSeconds), "number")}
    ${cell("In the way", active, "number")}
    ${cell("Cut", number(one.cut), "number")}
    ${cell("Held", number(held), "number")}
    ${cell("Longest", held ? duration(longestHoldSeconds ?? 0) : "–", "number")}
    ${cell("Ended by", one.endedBy ?? "–")}
    ${cell("Owner", one.owner ?? "–")}
    ${cell("Reason", one.reason ?? "–")}
  </tr>`;
}
