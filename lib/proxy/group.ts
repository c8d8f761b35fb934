import { Failure } from "../failure.ts";

/**
 * The numeric id of a group, given by name or number. Source of the format: group(5).
 *
 * @throws {Failure} when there is no such group
 */
export async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  const lines = (await Deno.readTextFile("/etc/group")).split("\n");
  for (const line of lines) {
    const [name, , id] = line.split(":");
    if (name === group && id !== undefined) return Number(id);
  }
  throw new Failure(
    `There is no group "${group}" in /etc/group: give another one, or the number of a group ` +
      "that is kept elsewhere, with --control-group",
  );
}
