import { conformanceOfConnection } from "../conformance.ts";

conformanceOfConnection("epoll");
