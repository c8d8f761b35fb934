import { conformance } from "./conformance.ts";

conformance("epoll");
