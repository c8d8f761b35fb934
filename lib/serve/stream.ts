/**
 * What is told to somebody who looks at a page, as server-sent events (html.spec.whatwg.org, 9.2).
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Listener } from "../control/http/messages.ts";
import { News } from "../news.ts";
import type { Parts } from "./page.ts";
import type { Samples } from "./samples.ts";

/** How soon somebody comes back whose connection broke, in milliseconds. */
const COME_BACK_AFTER = 1000;

/** How long nothing is said at the most, so that it shows when the other side is gone. */
const SILENCE = 10_000;

/** What comes within so many milliseconds is told together. */
const TOGETHER = 30;

/** Of this process: who comes back to another one begins anew. */
const INSTANCE = crypto.randomUUID().slice(0, 8);

/** What is looked at. */
export interface Shown {
  parts(): Parts;
  readonly samples: Samples | null;
  /** Looks again and again, and tells each time. @returns ends that */
  follow(changed: () => void): () => void;
}

/**
 * Tells of each part that changes, and of samples, until nobody listens.
 *
 * @param lastId the last event that was heard, by who comes back
 */
export async function tellShown(
  shown: Shown,
  lastId: string | undefined,
  listener: Listener,
): Promise<void> {
  const [, instance, number] = /^([\da-f]+)-(\d+)$/.exec(lastId ?? "") ?? [];
  const told = new Map<string, string>();
  const news = new News();
  let isGone = false;
  void listener.silent.then(() => {
    isGone = true;
    news.arrive();
  });
  let last = instance === INSTANCE ? Number(number) : 0;
  let text = `retry: ${COME_BACK_AFTER}\n\n`;
  const stop = shown.follow(news.arrive);
  try {
    while (!isGone) {
      const samples = shown.samples?.after(last) ?? [];
      last = samples.at(-1)?.number ?? last;
      const id = `${INSTANCE}-${last}`;
      for (const [name, { text: html }] of Object.entries(shown.parts())) {
        if (told.get(name) === html) continue;
        told.set(name, html);
        text += event("part", id, { id: name, html });
      }
      if (samples.length > 0) text += event("samples", id, samples);
      if (!await listener.write(text || ":\n\n")) return;
      text = "";
      await news.within(SILENCE);
      await delay(TOGETHER);
    }
  } finally {
    stop();
  }
}

/** JSON has no ends of lines. */
function event(name: string, id: string, data: unknown): string {
  return `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
