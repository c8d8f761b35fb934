import { conformanceOfAll } from "../conformance.ts";

conformanceOfAll("epoll");
