/** The names of tests that ran. */
export interface Outcomes {
  readonly passed: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
}

const CASE = /<testcase name="([^"]*)"[^>]*>(.*?)<\/testcase>/gs;

/** What stands for a character in XML. */
const CHARACTERS: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/**
 * Reads what `deno test --junit-path` reports. A step is named `TEST > STEP`; a test of which only steps
 * have failed counts neither as passed nor as failed.
 */
export function outcomes(report: string): Outcomes {
  const passed = new Set<string>();
  const failed = new Set<string>();
  for (const [, name = "", said = ""] of report.matchAll(CASE)) {
    const known = name.replace(/&(\w+);/g, (whole, code: string) => CHARACTERS[code] ?? whole);
    if (said.includes("<skipped") || /<failure message="\d+ test steps? failed"/.test(said)) {
      continue;
    }
    // An error has cancelled it, of its file.
    (/<(?:failure|error) /.test(said) ? failed : passed).add(known);
  }
  return { passed, failed };
}
