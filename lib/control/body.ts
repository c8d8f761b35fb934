/**
 * The bodies of requests on the control socket.
 *
 * @module
 */

import * as v from "valibot";
import { LARGEST_BODY } from "./api.ts";
import { ApiError } from "./api_error.ts";

/** How long a request's body may take to arrive, in milliseconds. */
const BODY_TIMEOUT = 10_000;

/** A description of an object. */
type Schema = v.GenericSchema & { readonly entries: object };

/**
 * Reads and validates a body; no body at all is an empty object.
 *
 * @throws {ApiError} saying what is wrong with it
 */
export async function readBody<S extends Schema>(
  request: Request,
  schema: S,
): Promise<v.InferOutput<S>> {
  return validate(await readJson(request), schema);
}

/**
 * Reads a body; no body at all is an empty object.
 *
 * @throws {ApiError} saying what is wrong with it
 */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readText(request);
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new ApiError("bad_request", "The body is not JSON");
  }
}

/**
 * Validates a body.
 *
 * @throws {ApiError} saying what is wrong with it
 */
export function validate<S extends Schema>(json: unknown, schema: S): v.InferOutput<S> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  throw new ApiError("bad_request", complaint(result.issues[0], Object.keys(schema.entries)));
}

/** What is wrong, in the words of somebody who writes the request. */
function complaint(issue: v.BaseIssue<unknown>, fields: readonly string[]): string {
  const field = v.getDotPath(issue);
  if (issue.type === "strict_object") {
    if (field === null) return "The body is not a JSON object";
    if (issue.expected !== "never") return `The field "${field}" is missing`;
    return `There is no field "${field}"; there is: ${fields.join(" ")}`;
  }
  if (field === null) return issue.message;
  if (issue.kind !== "schema") return `${field}: ${issue.message}`;
  return `${field}: expected a ${issue.expected}, but got ${issue.received}`;
}

async function readText(request: Request): Promise<string> {
  if (request.body === null) return "";
  const reader = request.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const error = new ApiError("request_timeout", "The body of the request did not arrive");
    timer = setTimeout(() => reject(error), BODY_TIMEOUT);
  });
  try {
    for (let size = 0;;) {
      const { done, value } = await Promise.race([reader.read(), timeout]);
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > LARGEST_BODY) {
        throw new ApiError("too_large", `The body is larger than ${LARGEST_BODY} bytes`);
      }
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}
