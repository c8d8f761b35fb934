import type { DrainRecord } from "../../lib/drain/record.ts";

/** A record that tells which one it is; some are longer than a block of a disk. */
export function numbered(number: number): DrainRecord {
  return {
    version: 1,
    state: "drained",
    owner: `owner ${number}`,
    reason: "x".repeat(number * 1371 % 10_000),
    since: "2026-03-01T12:00:00.000Z",
    deadline: null,
    lease: number,
    leaseExpires: "2026-03-01T13:00:00.000Z",
    exclusive: false,
    detached: false,
    commandUpstream: "old.example:80",
    upstream: null,
    refusals: [],
  };
}
