/**
 * What the two ends of a connection do. Each end sends and reads at the same time, by a list each.
 *
 * @module
 */

/**
 * How an end goes away before its time: by a reset, or by just closing the socket, which is an end if
 * it has read all that came, and a reset if it has not.
 */
export type Parting = "reset" | "leave";

/** Does nothing for so many milliseconds: at the reading side, a stall. */
export interface Pause {
  readonly do: "pause";
  readonly milliseconds: number;
}

interface Part {
  readonly do: Parting;
}

/** So many bytes, in pieces of at most so many, with so many milliseconds between them. */
export interface Amount {
  readonly bytes: number;
  readonly piece: number;
  readonly gap: number;
}

/** What an end does to send. `await` waits until so many bytes in all have come, or no more will. */
export type Sending =
  | Amount & { readonly do: "send" }
  | { readonly do: "await"; readonly bytes: number }
  | { readonly do: "end" }
  | Pause
  | Part;

/** What an end does to read. After the last step it reads whatever is left. */
export type Reading = Amount & { readonly do: "read" } | Pause | Part;

/** What one end does. */
export interface EndScript {
  readonly sending: readonly Sending[];
  readonly reading: readonly Reading[];
  /** Where what it sends begins. */
  readonly stream: number;
}

/** What both ends of a connection do. */
export interface ConnectionScript {
  readonly client: EndScript;
  readonly service: EndScript;
}

/** The script of one end, for people. */
export function describeScript({ sending, reading }: EndScript): string {
  const sends = sending.map(describeStep).join(", ");
  return `${sends}; meanwhile ${[...reading.map(describeStep), "read on"].join(", ")}`;
}

function describeStep(step: Sending | Reading): string {
  switch (step.do) {
    case "pause":
      return `pause ${step.milliseconds} ms`;
    case "await":
      return `await byte ${step.bytes}`;
    case "send":
    case "read":
      return `${step.do} ${step.bytes} by ${step.piece}` +
        (step.gap > 0 ? ` every ${step.gap} ms` : "");
    default:
      return step.do;
  }
}
