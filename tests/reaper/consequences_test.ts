import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { testWith } from "../support/tools.ts";

/** A line of processes, from the first one down: `1 tini, 7 sh, 9`; the last is the proxy. */
const PLACES: [string, "ends" | "may end" | "none"][] = [
  ["1 proxy", "ends"],
  ["1 tini, 2 proxy", "ends"],
  ["1 dumb-init, 7 proxy", "ends"],
  ["1 docker-init, 7 sh, 8 su, 9 proxy", "ends"],
  ["1 bash, 8 proxy", "ends"],
  ["1 systemd, 9 proxy", "none"],
  ["1 systemd, 5 sshd, 6 bash, 9 proxy", "none"],
  ["1 systemd, 5 containerd-shim, 9 proxy", "ends"],
  ["1 systemd, 5 containerd-shim, 6 tini, 9 proxy", "ends"],
  ["1 supervisord, 9 proxy", "none"],
  ["1 tini, 2 supervisord, 9 proxy", "none"],
  ["1 own-init, 9 proxy", "may end"],
  // What others run cannot be seen: by a service manager's wish, or because there is no /proc.
  ["1 hidden, 9 managed", "none"],
  ["1 hidden, 9 proxy", "may end"],
  ["1 tini, 9 orphan", "may end"],
  // Put into a container by its runtime, which is not in there.
  ["0 outside, 9 proxy", "ends"],
];

for (const [place, expected] of PLACES) {
  testWith(whyNoEpoll(), `whose end is whose: ${place}: ${expected}`, async () => {
    const { consequenceOfEnd } = await import("../../lib/reaper/consequences.ts");
    const line = place.split(", ").map((words) => words.split(" "));
    const pids = line.map(([pid]) => Number(pid));
    const { readFile } = await import("../../lib/linux/read_file.ts");
    const isOrphan = line.at(-1)?.[1] === "orphan";
    const found = consequenceOfEnd(pids.at(-1) ?? 0, {
      isKnown: true,
      isManaged: line.at(-1)?.[1] === "managed",
      parentOf: (pid) => pids[pids.indexOf(pid) - 1] ?? 0,
      nameOf(pid) {
        const name = line[pids.indexOf(pid)]?.[1] ?? "";
        return name === "hidden" ? readFile("/proc/none/comm") : name;
      },
      oldestChildOf: (pid) => isOrphan ? pid + 1 : pids[pids.indexOf(pid) + 1] ?? null,
    });
    assert.equal(found, expected);
  });
}
