import type { Random } from "../random.ts";
import { pause } from "./pause.ts";
import type { Visit } from "./visit.ts";

/** Says hello once and leaves; in each of the ways in which a client can. */
export async function visitShortly({ call, seen }: Visit, random: Random): Promise<void> {
  const way = random.between(1, 3);
  await call.send(way === 1 ? "hello\r\nquit\r\n" : "hello\r\n");
  if (way === 2) call.end();
  seen.by(await call.line());
  if (way === 3) await call.send("quit\r\n");
  await call.finish();
  seen.closed();
  await pause(random.between(10, 60));
}
