import { Failure } from "./failure.ts";

/**
 * The oldest Deno that runs the programs from source. Before it `node:net` loses what is half-closed,
 * and passed-on sockets do not work.
 */
const OLDEST = [2, 8] as const;

/**
 * Refuses to go on from source on a Deno that is too old, instead of failing in odd ways. Executables
 * have the runtime that they were compiled for, with what it cannot do in the release notes.
 *
 * @throws {Failure} when this Deno is too old
 */
export function refuseOldDeno(
  version: string = Deno.version.deno,
  isCompiled: boolean = Deno.build.standalone,
): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < OLDEST[0] || major === OLDEST[0] && minor < OLDEST[1];
  if (isCompiled || !isOld) return;
  throw new Failure(
    `Deno ${version} is too old to run this from source, which needs ${
      OLDEST.join(".")
    } or later: ` +
      "use npx -y deno@2.9.6 in its place",
  );
}
