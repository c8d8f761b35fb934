import { whyNoEpoll } from "../../../lib/linux/available.ts";
import { isLong } from "../../support/long.ts";
import { conformanceOfAll } from "../conformance.ts";

// Briefly only where it is the one that there is.
if (isLong || whyNoEpoll() !== null) conformanceOfAll("portable");
