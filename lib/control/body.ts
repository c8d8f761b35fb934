/**
 * The bodies of requests on the control socket.
 *
 * @module
 */

import * as v from "valibot";
import { ApiError } from "./errors.ts";
import type { ControlRequest } from "./http/messages.ts";

/** A description of an object. */
type Schema = v.GenericSchema & { readonly entries: object };

/**
 * Reads and validates a body; no body at all is an empty object.
 *
 * @throws {ApiError} saying what is wrong with it
 */
export function readBody<S extends Schema>(
  request: ControlRequest,
  schema: S,
): v.InferOutput<S> {
  return validate(readJson(request), schema);
}

/**
 * Reads a body; no body at all is an empty object.
 *
 * @throws {ApiError} saying what is wrong with it
 */
export function readJson({ body }: ControlRequest): unknown {
  try {
    return body.trim() === "" ? {} : JSON.parse(body);
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
