import * as v from "valibot";

/**
 * What a value is if it is as a schema says.
 *
 * @param about what a complaint begins with
 * @param whole what to call the value when a complaint is about no part of it
 * @throws {Error} saying which part of it is wrong, and how
 */
export function validated<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  about = "",
  whole = "the whole",
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`${about}${v.getDotPath(issue) ?? whole}: ${issue.message}`);
}
