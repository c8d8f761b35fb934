import { conformanceOfConnection } from "../conformance.ts";

conformanceOfConnection("portable");
