/**
 * From the schemas that validate to those that describe: JSON Schema, draft 2020-12, as OpenAPI 3.1
 * has it.
 *
 * @module
 */

import type * as v from "valibot";

/** A JSON Schema. */
export type JsonSchema = Record<string, unknown>;

/** What is looked at of a schema or of an action in a pipe; which of it is there depends on its type. */
interface Parts {
  readonly type: string;
  readonly entries?: Record<string, Parts>;
  readonly pipe?: readonly Parts[];
  readonly wrapped?: Parts;
  readonly item?: Parts;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly default?: unknown;
  readonly requirement?: unknown;
}

/**
 * Describes what a schema takes. What only code can tell, such as how a text is parsed, is left out.
 *
 * @param isOpen whether there may be more fields than are named
 * @throws {Error} for a schema of a type that is not known here
 */
export function jsonSchema(schema: v.GenericSchema, isOpen = false): JsonSchema {
  return describe(schema as unknown as Parts, isOpen);
}

function describe(schema: Parts, isOpen: boolean): JsonSchema {
  const described = describeType(schema, isOpen);
  for (const action of schema.pipe?.slice(1) ?? []) {
    Object.assign(described, describeAction(action));
  }
  return described;
}

function describeType(schema: Parts, isOpen: boolean): JsonSchema {
  const { type, entries = {}, wrapped, item, options = [] } = schema;
  switch (type) {
    case "string":
    case "number":
    case "boolean":
      return { type };
    case "literal":
      return { const: schema.literal };
    case "picklist":
      return { enum: options };
    case "array":
      return { type, items: describe(item as Parts, isOpen) };
    case "nullable":
      return { anyOf: [describe(wrapped as Parts, isOpen), { type: "null" }] };
    case "optional": {
      const value = schema.default;
      return {
        ...describe(wrapped as Parts, isOpen),
        ...(value !== undefined && { default: value }),
      };
    }
    case "union":
      return { anyOf: options.map((one) => describe(one as Parts, isOpen)) };
    case "object":
    case "strict_object":
      return {
        type: "object",
        properties: Object.fromEntries(
          Object.entries(entries).map(([name, entry]) => [name, describe(entry, isOpen)]),
        ),
        required: Object.keys(entries).filter((name) => entries[name]?.type !== "optional"),
        ...(type === "strict_object" && !isOpen && { additionalProperties: false }),
      };
    default:
      throw new Error(`A schema of type ${type} cannot be described`);
  }
}

function describeAction({ type, requirement }: Parts): JsonSchema {
  switch (type) {
    case "safe_integer":
    case "integer":
      return { type: "integer" };
    case "min_value":
      return { minimum: requirement };
    case "max_value":
      return { maximum: requirement };
    case "uuid":
      return { format: "uuid" };
    case "iso_timestamp":
      return { format: "date-time" };
    default:
      return {};
  }
}
