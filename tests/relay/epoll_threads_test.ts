import { conformance } from "./conformance.ts";

conformance("epoll in 2 threads");
