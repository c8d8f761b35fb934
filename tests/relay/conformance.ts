/**
 * What every relay must do, whatever it is made of: the tests only use the Relay interface and real
 * sockets. They are three files for each kind, so that those can be run at the same time.
 *
 * @module
 */

import { testBackPressure } from "./conformance/back_pressure.ts";
import { testBytes } from "./conformance/bytes.ts";
import { testConnecting } from "./conformance/connecting.ts";
import { testCutting } from "./conformance/cutting.ts";
import { testEndings } from "./conformance/endings.ts";
import { testHolding } from "./conformance/holding.ts";
import { testLastWords } from "./conformance/last_words.ts";
import { testLimits } from "./conformance/limits.ts";
import { testMovingOver } from "./conformance/moving_over.ts";
import { testNames } from "./conformance/names.ts";
import { testOverlapping } from "./conformance/overlapping.ts";
import { testProxyHeaders } from "./conformance/proxy_headers.ts";
import { testReporting } from "./conformance/reporting.ts";
import { testResets } from "./conformance/resets.ts";
import { testServiceEnded } from "./conformance/service_ended.ts";
import { testSeveralSockets } from "./conformance/several_sockets.ts";
import { testStandingStill } from "./conformance/standing_still.ts";
import { testStopping } from "./conformance/stopping.ts";
import { testSuspending } from "./conformance/suspending.ts";
import { testSuspendingStopped } from "./conformance/suspending_stopped.ts";
import { testTied } from "./conformance/tied.ts";
import { testWaiting } from "./conformance/waiting.ts";
import { isLong } from "../support/long.ts";
import { lentThreads } from "./lent_threads.ts";
import { endSpareProcesses } from "./relay_in_process.ts";
import type { Kind } from "./relays.ts";
import { Stage } from "./stage.ts";

if (!isLong) Stage.threadsFrom = lentThreads;
Deno.test.afterAll(endSpareProcesses);

/** Those about one connection, or one after the other: a thread does it alone. */
export function conformanceOfConnection(kind: Kind): void {
  testBytes(kind);
  testEndings(kind);
  testResets(kind);
  // What node:net of Deno cannot do, see lib/relay/portable/exchange.ts.
  if (kind !== "portable") testLastWords(kind);
  testBackPressure(kind);
  testStandingStill(kind);
}

/** Those about clients that are held, all of them or some: threads do it together. */
export function conformanceOfHeld(kind: Kind): void {
  testHolding(kind);
  testSuspending(kind);
  testOverlapping(kind);
  testSuspendingStopped(kind);
  testTied(kind);
  testWaiting(kind);
  testMovingOver(kind);
  testServiceEnded(kind);
}

/** Those about all connections, and what the relay is told otherwise: threads do it together. */
export function conformanceOfAll(kind: Kind): void {
  testConnecting(kind);
  testNames(kind);
  testCutting(kind);
  testLimits(kind);
  testSeveralSockets(kind);
  testStopping(kind);
  testReporting(kind);
  testProxyHeaders(kind);
}
