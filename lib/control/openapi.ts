/**
 * The control socket as OpenAPI 3.1 describes it (spec.openapis.org/oas/v3.1.0), made from the
 * schemas that validate.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import { ANSWERS } from "./answers.ts";
import { REQUESTS } from "./api.ts";
import { type EndpointDescription, ENDPOINTS } from "./endpoints.ts";
import { jsonSchema } from "./json_schema.ts";

/** Makes the description. */
export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of ENDPOINTS) {
    (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "disnix-tcp-proxy",
      version: VERSION,
      summary: "The control socket of a draining TCP proxy: HTTP/1.1 over a Unix socket",
      license: { name: "MIT", identifier: "MIT" },
    },
    // Whatever name is given: the socket says which proxy is asked.
    servers: [{ url: "http://proxy" }],
    paths,
    components: { schemas: { Error: jsonSchema(ANSWERS.error, true) } },
  };
}

function operation(
  { path, method, about, query, requests, answer, contentType }: EndpointDescription,
) {
  const type = contentType ?? "application/json";
  const schema = answer === undefined ? {} : jsonSchema(ANSWERS[answer], true);
  return {
    summary: about,
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z]+/g, "-").replace(/-$/, "")}`,
    ...(path.includes("{id}") && {
      parameters: [
        { name: "id", in: "path", required: true, schema: { type: "integer", minimum: 0 } },
      ],
    }),
    ...(query !== undefined && {
      parameters: Object.entries(query.entries).map(([name, schema]) => ({
        ...{ name, in: "query", schema: jsonSchema(schema) },
      })),
    }),
    ...(requests !== undefined && { requestBody: body(requests) }),
    responses: {
      200: { description: about, content: { [type]: { schema } } },
      default: {
        description: "It cannot be done: why not, and a code that scripts can look at",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function body(requests: readonly (keyof typeof REQUESTS)[]) {
  const [first, ...others] = requests.map((one) => jsonSchema(REQUESTS[one]));
  const schema = others.length === 0 ? first : { anyOf: [first, ...others] };
  return { content: { "application/json": { schema } } };
}
