import type * as v from "valibot";
import { connectionsQuery, type REQUESTS } from "./api.ts";
import type { ANSWERS } from "./answers.ts";

/** What can be asked at the control socket. */
export interface EndpointDescription {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `{id}` stands for a parameter. */
  readonly path: string;
  readonly about: string;
  /** The bodies that it takes; none if it takes none. */
  readonly requests?: readonly (keyof typeof REQUESTS)[];
  /** What can be said behind the path: `?limit=20`. */
  readonly query?: v.GenericSchema & {
    readonly entries: Readonly<Record<string, v.GenericSchema>>;
  };
  /** What it answers; not said of what is no JSON. */
  readonly answer?: keyof typeof ANSWERS;
  /** What that is written as; JSON if it is not said. */
  readonly contentType?: string;
}

/** Every endpoint. */
export const ENDPOINTS: readonly EndpointDescription[] = [
  { method: "GET", path: "/", about: "What can be asked here", answer: "endpoints" },
  { method: "GET", path: "/v1/status", about: "How the proxy is", answer: "status" },
  {
    method: "GET",
    path: "/v1/connections",
    about: "The connections, the oldest first, or as is said behind it",
    query: connectionsQuery,
    answer: "connections",
  },
  {
    method: "DELETE",
    path: "/v1/connections/{id}",
    about: "Cuts a connection: both sides see a reset",
    answer: "killed",
  },
  {
    method: "POST",
    path: "/v1/drain",
    about: "Holds new clients and waits until nobody is active; a line of JSON at once and every " +
      "second, the last is the outcome. Who hangs up before has left the drain",
    requests: ["drain", "return"],
    answer: "drain",
    contentType: "application/x-ndjson",
  },
  {
    method: "POST",
    path: "/v1/resume",
    about: "Serves those who wait, and all who come",
    requests: ["resume"],
    answer: "resumed",
  },
  {
    method: "POST",
    path: "/v1/stay-drained",
    about: "Has a drain that is attached stay when its caller leaves",
    requests: ["stayDrained"],
    answer: "stayDrained",
  },
  {
    method: "GET",
    path: "/v1/history",
    about: "The last 100 drains, the oldest first",
    answer: "history",
  },
  {
    method: "POST",
    path: "/v1/released",
    about: "Says that the service lets its clients go, to a drain that waits for that",
    requests: ["released"],
    answer: "released",
  },
  {
    method: "GET",
    path: "/v1/upstream",
    about: "Where new connections go, and how many are to another upstream",
    answer: "upstream",
  },
  {
    method: "PUT",
    path: "/v1/upstream",
    about: "Sends new connections to another upstream",
    requests: ["upstream"],
    answer: "retargeted",
  },
  {
    method: "POST",
    path: "/v1/upgrade",
    about: "Replaces the proxy's process by a new one of its executable",
    requests: ["upgrade"],
    answer: "upgraded",
  },
  { method: "GET", path: "/v1/openapi.json", about: "All of this, as OpenAPI 3.1 has it" },
  {
    method: "GET",
    path: "/metrics",
    about: "The metrics, as Prometheus reads them",
    contentType: "text/plain",
  },
  { method: "GET", path: "/healthz", about: "Whether it answers", contentType: "text/plain" },
];

/** As an answer tells of them. */
export function endpointList(): { method: string; path: string; about: string }[] {
  return ENDPOINTS.map(({ method, path, about }) => ({ method, path, about }));
}
