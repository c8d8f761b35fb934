import { conformanceOfHeld } from "../conformance.ts";

conformanceOfHeld("epoll");
