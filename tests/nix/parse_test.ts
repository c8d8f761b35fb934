import { join } from "node:path";
import { ROOT, testNix, whyNoNix } from "./nix.ts";

testNix(whyNoNix(), "every Nix file can be parsed", async (nix) => {
  await nix.parse([...filesIn(join(ROOT, "nix")), ...filesIn(join(ROOT, "tests/nix"))]);
});

function* filesIn(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (isDirectory) yield* filesIn(path);
    else if (name.endsWith(".nix")) yield path;
  }
}
