import { basename, dirname, join } from "node:path";
import { type Content, fill, read } from "./content.ts";
import { PROGRAMS } from "./programs.ts";
import { Staging } from "./staging.ts";
import { pipeline } from "./tools.ts";

/**
 * A window of 128 MiB, the largest that `zstd -d` takes without being asked: it reaches back over one
 * executable, so that the runtime that all four stand on is there only once. Its long-distance mode
 * does not find it again beside this; in several threads it would be looked for in pieces.
 */
const COMPRESSION = ["-5", "--single-thread", "--zstd=wlog=27,hlog=26,clog=26"];

/**
 * Packs an archive for those who unpack and copy: `NAME-VERSION-TARGET.tar.zst`.
 *
 * @param output the directory it is put in
 * @param compression options of `zstd`
 * @returns its path
 * @throws {Failure} when that fails
 */
export async function packArchive(
  content: Content,
  output: string,
  compression: readonly string[] = COMPRESSION,
): Promise<string> {
  const { target, version } = content;
  const name = `disnix-tcp-proxy-${version}-${target.name}`;
  await using staging = await Staging.make(join(output, ".archive", name), content.time);
  for (const { executable } of Object.values(PROGRAMS)) {
    await staging.link(`bin/${executable}`, join(content.executables, executable));
  }
  const { bash, zsh, fish } = content.completions;
  await staging.write("share/bash-completion/completions/proxyctl", bash);
  await staging.write("share/zsh/site-functions/_proxyctl", zsh);
  await staging.write("share/fish/vendor_completions.d/proxyctl.fish", fish);
  for (const [name, text] of Object.entries(content.manuals)) {
    await staging.write(`share/man/man1/${name}.1`, text);
  }
  if (target.debian !== null) {
    for (const unit of ["@.service", "@.socket", "-page.service", ".sysusers"]) {
      const file = `systemd/disnix-tcp-proxy${unit}`;
      await staging.write(`share/${file}`, await read(file));
    }
  }
  await staging.write("LICENSE", await read("../../LICENSE"));
  await staging.write("LICENSES-OF-LIBRARIES", content.licenses);
  await staging.write("README", fill(await read("archive/README"), content));
  await staging.write("RELEASE-NOTES.md", await read("../../docs/release-notes.md"));
  await staging.seal();
  const path = join(output, `${name}.tar.zst`);
  const tar = [
    ...["tar", "--create", "--sort=name", "--format=ustar"],
    ...["--owner=0", "--group=0", "--numeric-owner"],
    ...["--directory", dirname(staging.path), basename(staging.path)],
  ];
  await pipeline(`pack ${path}`, [tar, ["zstd", "--quiet", ...compression]], path);
  return path;
}
