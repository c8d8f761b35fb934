import type { ProcessType } from "./component.ts";

/** A service in the models of Disnix. */
export interface Service {
  readonly name: string;
  /** Which of Dysnomia's modules is called for it. */
  readonly type: "wrapper" | ProcessType;
  /** Its store path. */
  readonly component: string;
  /** Those that it needs, and with which it is deployed anew. */
  readonly dependsOn: readonly Service[];
}

/** The PID file of a service of the type "process". */
export async function pidFileOf({ component }: Service): Promise<string> {
  const directory = `${component}/etc/dysnomia/process`;
  for await (const { name } of Deno.readDir(directory)) {
    const [, path] = /^pidFile=(.*)$/m.exec(await Deno.readTextFile(`${directory}/${name}`)) ?? [];
    if (path !== undefined) return path;
  }
  throw new Error(`There is no PID file in ${directory}`);
}

/** What makes Disnix take services for the same. */
export function identityOf({ name, type, component, dependsOn }: Service): string {
  return JSON.stringify([name, type, component, dependsOn.map(identityOf)]);
}
