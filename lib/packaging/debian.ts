import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Content, fill, read } from "./content.ts";
import { Staging } from "./staging.ts";
import { tool } from "./tools.ts";

const NAME = "disnix-tcp-proxy";
const UNITS = "usr/lib/systemd/system";
const DOCUMENTS = `usr/share/doc/${NAME}`;
const SCRIPTS = ["postinst", "prerm", "postrm"];

/** What lintian and all Debians take that the executables run on. Higher levels save 2 %. */
const COMPRESSION = ["-Zxz", "-z1"];

/**
 * Packs a Debian package. It has the proxy and proxyctl, and not the example that the archive has as
 * well.
 *
 * @param output the directory it is put in
 * @param compression options of `dpkg-deb`
 * @returns its path
 * @throws {Failure} when that fails
 */
export async function packDebian(
  content: Content,
  output: string,
  compression: readonly string[] = COMPRESSION,
): Promise<string> {
  const { version, target, time } = content;
  const architecture = target.debian ?? "";
  await using staging = await Staging.make(join(output, ".debian"), time);
  for (const name of [NAME, "proxyctl"]) {
    await staging.link(`usr/bin/${name}`, join(content.executables, name));
    const manual = gzipSync(content.manuals[name] ?? "", { level: 9 });
    await staging.write(`usr/share/man/man1/${name}.1.gz`, manual);
  }
  await staging.directory(`etc/${NAME}`);
  for (const unit of ["@.service", "@.socket", "-page.service"]) {
    await staging.write(`${UNITS}/${NAME}${unit}`, await read(`systemd/${NAME}${unit}`));
  }
  await staging.write(`usr/lib/sysusers.d/${NAME}.conf`, await read(`systemd/${NAME}.sysusers`));
  const { bash, zsh, fish } = content.completions;
  await staging.write("usr/share/bash-completion/completions/proxyctl", bash);
  await staging.write("usr/share/zsh/vendor-completions/_proxyctl", zsh);
  await staging.write("usr/share/fish/vendor_completions.d/proxyctl.fish", fish);
  const license = (await read("../../LICENSE")).trimEnd().split("\n")
    .map((line) => ` ${line || "."}`).join("\n");
  const copyright = fill(await read("debian/copyright"), content, {
    license,
    libraries: content.licenses,
  });
  await staging.write(`${DOCUMENTS}/copyright`, copyright);
  await staging.write(`${DOCUMENTS}/README`, await read("debian/README"));
  await staging.write(`${DOCUMENTS}/examples/8080.conf`, await read("debian/8080.conf"));
  for (const [name, text] of await changes(content)) {
    await staging.write(`${DOCUMENTS}/${name}.gz`, gzipSync(text, { level: 9 }));
  }
  await staging.write(
    `usr/share/lintian/overrides/${NAME}`,
    await read("debian/lintian-overrides"),
  );
  // In KiB, of all but the control files.
  const size = `${Math.ceil(await staging.seal() / 1024)}`;
  const control = fill(await read("debian/control"), content, { architecture, size });
  await staging.write("DEBIAN/control", control);
  for (const script of SCRIPTS) {
    await staging.write(`DEBIAN/${script}`, await read(`debian/${script}`), 0o755);
  }
  await staging.seal();
  const path = join(output, `${NAME}_${version}_${architecture}.deb`);
  const options = ["--root-owner-group", "--threads-max=1", ...compression];
  await tool(`pack ${path}`, ["dpkg-deb", ...options, "--build", staging.path, path], {
    env: { SOURCE_DATE_EPOCH: `${time.getTime() / 1000}` },
  });
  return path;
}

/** What is new: as Debian has it, and as we have it. */
async function changes({ version, time }: Content): Promise<[string, string][]> {
  const day = time.toUTCString().replace("GMT", "+0000");
  return [
    [
      "changelog",
      `${NAME} (${version}) stable; urgency=medium\n\n  * See NEWS.md.gz.\n\n` +
      ` -- The disnix-tcp-proxy authors <disnix-tcp-proxy@disnix-tcp-proxy.invalid>  ${day}\n`,
    ],
    ["NEWS.md", await read("../../docs/release-notes.md")],
  ];
}
