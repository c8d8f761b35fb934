import { makeControlGroup, whereControlGroupsAre } from "../support/control_group.ts";
import { madeOnce } from "../support/made_once.ts";
import { Running } from "../support/programs.ts";
import { succeeded } from "../support/scene.ts";
import { without } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** What it does not share with the machine of the tests. The network it does. */
const NAMESPACES = ["--mount", "--ipc", "--uts"];

/** For a systemd, which is to be the first process and to have all control groups. */
const NAMESPACES_OF_SYSTEMD = ["--fork", "--kill-child", "--pid", "--cgroup"];

/** For a system that is installed within a minute. */
const SUITE = "bookworm";

/**
 * Makes the files of a Debian ($1) those of a machine of its own, with what is written to them in
 * memory, and runs a command (the rest) there. It sees nothing of this machine but one
 * directory ($2), and changes nothing of the kernel.
 */
const BOOT = `
set -e
mount --make-rprivate /
root=$1 packages=$2
shift 2
mount -t tmpfs tmpfs "$root/mnt"
mkdir "$root/mnt/upper" "$root/mnt/work" "$root/mnt/root"
mount -t overlay overlay \
  -o "lowerdir=$root,upperdir=$root/mnt/upper,workdir=$root/mnt/work" "$root/mnt/root"
cd "$root/mnt/root"
mkdir packages
mount --bind "$packages" packages
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount --rbind /sys sys
umount --recursive sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -o remount,ro,bind sys
mount -t tmpfs -o mode=0755 tmpfs dev
mkdir dev/pts dev/shm
for device in full null random tty urandom zero; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
for place in run tmp dev/shm; do mount -t tmpfs tmpfs $place; done
pivot_root . mnt
cd /
# Systemd mounts the credentials of a service elsewhere, to be seen here.
exec chroot . /bin/sh -c 'umount --lazy /mnt && mount --make-rshared / &&
  exec env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' sh "$@"
`;

const SYSTEMD = [
  ...["container=test", "SYSTEMD_LOG_TARGET=console"],
  ...["/lib/systemd/systemd", "--system", "--unit=basic.target"],
];

/** Why there can be no such machine; `null` if there can. */
export function whyNoDebian(): string | null {
  if (Deno.uid() !== 0) return "only root can start a system of its own";
  const missing = without("unshare", "nsenter", "pivot_root") ??
    (Deno.env.has("DEBIAN_ROOT") ? null : without("debootstrap"));
  if (missing !== null) return missing;
  if (whereControlGroupsAre() === null) {
    return "no control groups, version 2, to start a systemd in";
  }
  const { success } = new Deno.Command("unshare", { args: [...NAMESPACES, "true"] }).outputSync();
  return success ? null : "no namespaces to start a systemd in";
}

/** A Debian with a systemd that runs. Disposing of it ends all that runs there, and removes it. */
export class DebianMachine implements AsyncDisposable {
  private constructor(private readonly stack: AsyncDisposableStack, private readonly pid: number) {}

  /** @param packages a directory, which is `/packages` there */
  static async start(packages: string): Promise<DebianMachine> {
    await using stack = new AsyncDisposableStack();
    const outside = await startInDebian(stack, packages, SYSTEMD, NAMESPACES_OF_SYSTEMD);
    const children = `/proc/${outside.pid}/task/${outside.pid}/children`;
    let hasEnded = false;
    outside.finished().then(() => hasEnded = true);
    const pid = Number(
      await until(
        () => Deno.readTextFile(children).catch(() => ""),
        (text) => text !== "" || hasEnded,
      ),
    );
    const machine = new DebianMachine(stack.move(), pid);
    try {
      const isUp = () => machine.#isUp();
      await until(isUp, (isUp) => isUp || hasEnded);
      if (hasEnded) throw new Error(`systemd does not run: ${outside.stdout}${outside.stderr}`);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a command there, as root. */
  start(...command: string[]): Running {
    const enter = ["--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root", "--wdns=/"];
    const environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"];
    return new Running(["nsenter", `--target=${this.pid}`, ...enter, ...environment, ...command]);
  }

  /** Runs a command there to its end, as root. @returns what it wrote @throws unless it succeeds */
  async run(...command: string[]): Promise<string> {
    await using running = this.start(...command);
    return succeeded(command.join(" "), await running.finished()).stdout.trim();
  }

  async #isUp(): Promise<boolean> {
    await using running = this.start("systemctl", "is-active", "basic.target");
    return (await running.finished()).code === 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}

/**
 * Starts a command on such a machine, as root. The Debian is installed, once, unless `$DEBIAN_ROOT`
 * names the directory of one, which is not changed.
 *
 * @param stack ends all that runs there
 * @param packages a directory, which is `/packages` there
 * @param more options of unshare(1)
 */
export async function startInDebian(
  stack: AsyncDisposableStack,
  packages: string,
  command: readonly string[],
  more: readonly string[] = [],
): Promise<Running> {
  const root = Deno.env.get("DEBIAN_ROOT") ?? await install();
  const group = await makeControlGroup(stack);
  const enter = ["sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group];
  const inside = ["sh", "-c", BOOT, "sh", root, packages];
  const running = stack.use(
    new Running([...enter, "unshare", ...NAMESPACES, ...more, ...inside, ...command]),
  );
  // Before that, which waits until nobody can write to it any more.
  stack.defer(() => Deno.writeTextFile(`${group}/cgroup.kill`, "1"));
  return running;
}

function install(): Promise<string> {
  return madeOnce(`debian-${SUITE}`, async (directory) => {
    const options = ["--variant=minbase", "--include=systemd,systemd-sysv,zstd"];
    await using running = new Running(["debootstrap", ...options, SUITE, directory]);
    succeeded("debootstrap", await running.finished());
  });
}
