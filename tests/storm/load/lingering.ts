import type { Random } from "../random.ts";
import { pause } from "./pause.ts";
import type { Visit } from "./visit.ts";

/** How long a visit lasts, in milliseconds: most of them shortly, some for seconds. */
const MOST = [100, 450] as const;
const SOME = [2000, 3000] as const;
/** One in so many visits lasts for seconds; each of them keeps a drain waiting for as long. */
const SOME_ARE_ONE_IN = 400;

/** Stays for a while and says hello now and then. */
export async function visitForLong({ call, seen }: Visit, random: Random): Promise<void> {
  await call.send("hello\r\n");
  seen.by(await call.line());
  // From here on: while it was held, its time did not run.
  const [shortest, longest] = random.oneIn(SOME_ARE_ONE_IN) ? SOME : MOST;
  const until = performance.now() + random.between(shortest, longest);
  while (performance.now() < until) {
    await pause(random.between(10, 100));
    await call.send("hello\r\n");
    seen.by(await call.line());
  }
  await call.send("quit\r\n");
  await call.finish();
  seen.closed();
}
