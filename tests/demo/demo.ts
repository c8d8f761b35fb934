/**
 * `deno task demo`: a whole upgrade with live clients, told as a timeline.
 *
 * @module
 */

import { run } from "../../lib/command_line.ts";
import { Failure } from "../../lib/failure.ts";
import { interruption } from "../support/interruption.ts";
import { Scene } from "../support/scene.ts";
import { prepare } from "./prepare.ts";
import { tell } from "./story.ts";
import { Timeline } from "./timeline.ts";

/** A story that takes longer has come to a stop, in milliseconds. */
const LONGEST = 300_000;

await run("demo", async () => {
  const interrupted = interruption();
  await prepare();
  await using scene = await Scene.open();
  const stuck = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => stuck.reject(new Failure(`The story did not end within ${LONGEST / 1000} s`)),
    LONGEST,
  );
  try {
    await Promise.race([tell(scene, new Timeline()), interrupted, stuck.promise]);
  } finally {
    clearTimeout(timer);
  }
  return 0;
});
