/**
 * What every relay must do, whatever it is made of: the tests only use the Relay interface and real
 * sockets.
 *
 * @module
 */

import { testBackPressure } from "./conformance/back_pressure.ts";
import { testBytes } from "./conformance/bytes.ts";
import { testConnecting } from "./conformance/connecting.ts";
import { testCutting } from "./conformance/cutting.ts";
import { testEndings } from "./conformance/endings.ts";
import { testHolding } from "./conformance/holding.ts";
import { testLimits } from "./conformance/limits.ts";
import { testReporting } from "./conformance/reporting.ts";
import { testResets } from "./conformance/resets.ts";
import { testStopping } from "./conformance/stopping.ts";
import type { Kind } from "./relays.ts";

/** Registers the tests that this kind of relay must pass. */
export function conformance(kind: Kind): void {
  testBytes(kind);
  testEndings(kind);
  testResets(kind);
  testBackPressure(kind);
  testHolding(kind);
  testConnecting(kind);
  testCutting(kind);
  testLimits(kind);
  testStopping(kind);
  testReporting(kind);
}
