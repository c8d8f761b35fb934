/** What a module imports. */
export interface Import {
  /** Below the top of the checkout, or the whole specifier of one that is not ours. */
  readonly path: string;
  /** `later` by `import()`, when it is needed; `type` never. */
  readonly loaded: "at once" | "later" | "type";
}

const ROOT = new URL("../../", import.meta.url);

/** What `deno info --json` says of a module. */
interface Described {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly isDynamic?: boolean;
    readonly code?: { readonly specifier?: string };
    readonly type?: { readonly specifier?: string };
  }[];
}

/** What every module imports that these programs may load, by its path; types count as well. */
export async function moduleGraph(...entryPoints: string[]): Promise<Map<string, Import[]>> {
  const graph = new Map<string, Import[]>();
  for (const entryPoint of entryPoints) {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entryPoint],
      cwd: ROOT,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Described[] };
    for (const { specifier, dependencies = [] } of modules) {
      const imports: Import[] = [];
      for (const { isDynamic, code, type } of dependencies) {
        const loaded = isDynamic ? "later" : "at once";
        if (code?.specifier) imports.push({ path: pathOf(code.specifier), loaded });
        if (type?.specifier) imports.push({ path: pathOf(type.specifier), loaded: "type" });
      }
      graph.set(pathOf(specifier), imports);
    }
  }
  return graph;
}

function pathOf(specifier: string): string {
  return specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : specifier;
}
