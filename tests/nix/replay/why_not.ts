import { whyNoEpoll } from "../../../lib/linux/available.ts";
import { whyNoBuilds } from "../nix.ts";
import { without } from "../../support/tools.ts";
import type { ProcessType } from "./component.ts";
import { MANAGERS } from "./machine.ts";

/** All for which a deployment is replayed. */
export const PROCESS_TYPES = Object.keys(MANAGERS) as ProcessType[];

/** Why a deployment cannot be replayed with that process manager; `null` if it can. */
export function whyNot(type: ProcessType): string | null {
  const { commands, whyNot } = MANAGERS[type];
  return whyNoEpoll() ?? whyNoBuilds() ?? without(...commands) ?? whyNot();
}
