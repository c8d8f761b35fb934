import type { ProcessType } from "../component.ts";

/** A process manager that runs. Disposing of it ends it, and all that it runs. */
export interface Manager extends AsyncDisposable {
  readonly processType: ProcessType;
  /** What stands before a command that is to run on its machine. */
  readonly through: readonly string[];
  /** What Dysnomia's module for it is told in its environment. */
  readonly properties: Record<string, string>;
}
