import type { Status } from "../../control/api.ts";
import { describeAway, describeSince } from "../../moment.ts";
import { type Html, markup } from "../markup.ts";
import type { Watched } from "../watched.ts";
import { badge, bytes, duration, moment, number, rate, stateOf } from "./texts.ts";

/** How a proxy is, in a sentence. */
export function stateLine(proxy: Watched, now: number): Html {
  const { status, failure } = proxy;
  return markup`<p class="state">${badge(stateOf(proxy))} ${
    failure !== null
      ? markup`<span class="trouble">${failure.message}</span>`
      : status === null
      ? "Nothing is known of it yet"
      : sentence(status, now)
  }</p>`;
}

function sentence(status: Status, now: number): Html {
  const { state, owner, reason, since, deadline, leaseExpires, parkedUntil } = status;
  const at = (time: string) => describeAway(Date.parse(time), now);
  const more = [
    since === null ? null : describeSince(Date.parse(since), now),
    owner === null ? null : markup`by <strong>${owner}</strong>`,
    reason === null ? null : markup`<q>${reason}</q>`,
    deadline === null ? null : `the deadline is ${at(deadline)}`,
    leaseExpires === null ? null : `the lease ends ${at(leaseExpires)}`,
    parkedUntil === null ? null : `the keeper gives up ${at(parkedUntil)}`,
  ].filter((piece) => piece !== null);
  const separated = more.map((piece, index) => index === 0 ? piece : markup`, ${piece}`);
  if (state === "open") return markup`New clients are served`;
  return markup`New clients are held ${separated}`;
}

/** The figures of a proxy. */
export function figures({ status, samples, failure }: Watched, now: number): Html {
  if (status === null) return markup`<dl class="figures"></dl>`;
  const { last } = samples;
  const { queueLimit, heldSince } = status;
  const isThere = failure === null;
  const held = isThere && heldSince ? (now - Date.parse(heldSince)) / 1000 : null;
  const all: [string, string | Html, string?][] = [
    ["Active", number(isThere ? status.active : null), "large"],
    [
      "Queued",
      markup`${number(isThere ? status.queued : null)}${
        queueLimit
          ? markup`
            <small>of ${number(queueLimit)}</small>
          `
          : null
      }`,
      "large",
    ],
    ["Suspended", number(isThere ? status.suspended : null), "large"],
    ["Held the longest", held === null ? "–" : duration(Math.max(0, held)), "large"],
    ["New", last?.accepted === null ? "–" : `${number(last?.accepted)}/s`],
    ["Up", markup`${rate(last?.up)} <small>${bytes(status.bytesUp)} in all</small>`],
    ["Down", markup`${rate(last?.down)} <small>${bytes(status.bytesDown)} in all</small>`],
    ["Accepted", number(status.accepted)],
    ["Upstream", status.upstream],
    ["Process", `${status.pid}`],
    ["Version", `${status.version}, ${status.relay} relay`],
    ["Started", moment(Date.parse(status.startedAt), now)],
  ];
  return markup`<dl class="figures">${
    all.map(([name, value, kind = ""]) =>
      markup`
        <div class="${kind}">
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )
  }</dl>`;
}
