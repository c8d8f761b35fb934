import { join } from "node:path";
import { makeControlGroup, whereControlGroupsAre } from "../../../support/control_group.ts";
import { Running } from "../../../support/programs.ts";
import { until } from "../../../support/until.ts";
import type { Manager } from "./manager.ts";

const SYSTEMD = "/lib/systemd/systemd";

/** What it does not share with this machine. */
const NAMESPACES = [
  ...["--fork", "--kill-child"],
  ...["--pid", "--mount", "--mount-proc", "--cgroup", "--ipc", "--uts"],
];

/** What it finds under `/`, before it becomes the first process of a machine of its own. */
const PREPARE = `
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
umount --recursive /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# As systemd itself does where it is not in a container: a unit sees what is mounted for it (credentials).
mount --make-rshared /
exec env --ignore-environment PATH="$PATH" container=test SYSTEMD_UNIT_PATH="$0" \\
  SYSTEMD_LOG_TARGET=console ${SYSTEMD} --system --unit=default.target
`;

/** The units that systemd does not do without. */
const TARGETS = ["default", "sysinit", "basic", "shutdown"];

/**
 * A systemd of its own, in namespaces of its own: the network and the files are those of this machine.
 */
export class Systemd implements Manager {
  readonly processType = "systemd-unit";
  readonly through: readonly string[];
  readonly properties: Record<string, string>;

  private constructor(private readonly stack: AsyncDisposableStack, units: string, pid: number) {
    this.through = ["nsenter", `--target=${pid}`, "--mount", "--pid", "--cgroup"];
    this.properties = { systemdTargetDir: units };
  }

  /** What it needs. */
  static readonly commands = ["systemctl", "unshare", "nsenter", SYSTEMD];

  /** Why it cannot run although they are there. */
  static whyNot(): string | null {
    if (Deno.uid() !== 0) return "only root can start a systemd of its own";
    if (whereControlGroupsAre() === null) {
      return "no control groups, version 2, to start a systemd in";
    }
    const { success } = new Deno.Command("unshare", { args: [...NAMESPACES, "true"] }).outputSync();
    return success ? null : "no namespaces to start a systemd in";
  }

  /** @param directory its units are put there */
  static async start(directory: string): Promise<Manager> {
    await using stack = new AsyncDisposableStack();
    const units = join(directory, "units");
    await Deno.mkdir(units);
    for (const name of TARGETS) {
      await Deno.writeTextFile(join(units, `${name}.target`), "[Unit]\n");
    }
    const group = await makeControlGroup(stack);
    const enter = `echo $$ >"$0/cgroup.procs" && exec "$@"`;
    const command = [
      "sh",
      "-c",
      enter,
      group,
      "unshare",
      ...NAMESPACES,
      "sh",
      "-c",
      PREPARE,
      units,
    ];
    const outside = stack.use(new Running(command));
    const children = `/proc/${outside.pid}/task/${outside.pid}/children`;
    const pid = Number(await until(() => Deno.readTextFile(children), (text) => text !== ""));
    let hasEnded = false;
    outside.finished().then(() => hasEnded = true);
    const manager = new Systemd(stack.move(), units, pid);
    await until(() => manager.#isUp(), (isUp) => isUp || hasEnded);
    if (hasEnded) throw new Error(`systemd does not run: ${outside.stdout}${outside.stderr}`);
    return manager;
  }

  async #isUp(): Promise<boolean> {
    const [file = "", ...args] = [...this.through, "systemctl", "is-active", "default.target"];
    const { success } = await new Deno.Command(file, { args }).output();
    return success;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}
