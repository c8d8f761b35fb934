import { conformanceOfAll } from "../conformance.ts";

conformanceOfAll("portable");
