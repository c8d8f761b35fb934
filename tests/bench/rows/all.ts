import { download, upload } from "./bulk.ts";
import { calls } from "./calls.ts";
import { connection } from "./connection.ts";
import { drained } from "./drained.ts";
import { fairness } from "./fairness.ts";
import { growth } from "./growth.ts";
import { handover } from "./handover.ts";
import { idle } from "./idle.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { request } from "./request.ts";
import { resume } from "./resume.ts";
import type { Row } from "./row.ts";
import { start } from "./start.ts";

/** All that is measured. */
export const ROWS: readonly Row[] = [
  request,
  connection,
  calls,
  download,
  upload,
  latency,
  fairness,
  memory,
  idle,
  start,
  drained,
  resume,
  handover,
  growth,
];
