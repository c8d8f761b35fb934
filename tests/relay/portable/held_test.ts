import { conformanceOfHeld } from "../conformance.ts";

conformanceOfHeld("portable");
