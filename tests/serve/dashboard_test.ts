import assert from "node:assert/strict";
import { isLong } from "../support/long.ts";
import { notFetched } from "../support/packages.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

/** Grafana's own types, which it makes of its schema; and that of a query to Prometheus. */
const SCHEMA = "npm:@grafana/schema@13.2.3";
const QUERIES = "npm:@grafana/grafana-foundation-sdk@0.0.21";

const file = new URL("../../docs/monitoring/dashboard.json", import.meta.url);
const dashboard = JSON.parse(Deno.readTextFileSync(file));

/** The schema leaves open what panels and data sources are to say of themselves: here they are. */
const TYPES = `
import type * as schema from "${SCHEMA}";
import type * as stat from "${panel("stat", "Stat")}";
import type * as stateTimeline from "${panel("statetimeline", "StateTimeline")}";
import type * as timeseries from "${panel("timeseries", "TimeSeries")}";
import type { Dataquery } from "${QUERIES}/prometheus";

/** As it is in JSON: the values of an enumeration, not their names. */
type Written<T> = T extends string ? \`\${T}\`
  : T extends number ? \`\${T}\` extends \`\${infer N extends number}\` ? N : number
  : T extends (infer One)[] ? Written<One>[]
  : T extends object ? { [Key in keyof T]: Written<T[Key]> }
  : T;

type Query = Omit<Dataquery, "_implementsDataqueryVariant">;

type Panel<Type extends string, Options, Custom> =
  & Omit<schema.Panel, "type" | "options" | "fieldConfig" | "targets">
  & {
    type: Type;
    options: Options;
    targets: Query[];
    fieldConfig: {
      defaults: Omit<schema.FieldConfig, "custom"> & { custom?: Custom };
      overrides: schema.FieldConfigSource["overrides"];
    };
  };

type Annotation = Omit<schema.AnnotationQuery, "target"> & { target: Query; titleFormat?: string };

type Dashboard = Written<
  Omit<schema.Dashboard, "panels" | "annotations"> & {
    panels: (
      | Panel<"stat", stat.Options, never>
      | Panel<"state-timeline", stateTimeline.Options, stateTimeline.FieldConfig>
      | Panel<"timeseries", timeseries.Options, timeseries.FieldConfig>
    )[];
    annotations: { list: Annotation[] };
  }
>;
`;

function panel(path: string, name: string): string {
  return `${SCHEMA}/dist/esm/raw/composable/${path}/panelcfg/x/${name}PanelCfg_types.gen`;
}

const [drains] = dashboard.annotations.list;
const [timeline, figure] = dashboard.panels;

/** A dashboard with its first panel changed. */
const withPanel = (changed: object) => ({ ...dashboard, panels: [{ ...timeline, ...changed }] });

/** Dashboards that are not as they should be. */
const WRONG = [
  { ...dashboard, refrehs: "10s" },
  { ...dashboard, graphTooltip: 7 },
  { ...dashboard, panels: [{ ...figure, options: { ...figure.options, colorMode: "valeu" } }] },
  { ...dashboard, annotations: { list: [{ ...drains, iconColor: undefined }] } },
  { ...dashboard, annotations: { list: [{ ...drains, target: { refId: "drains" } }] } },
  withPanel({ type: "stat" }),
  withPanel({ gridPos: { x: 0, y: 0, w: 24 } }),
  withPanel({ options: { ...timeline.options, rowHight: 0.9 } }),
  withPanel({ targets: [{ ...timeline.targets[0], legend: "{{listen}}" }] }),
  withPanel({ fieldConfig: { defaults: { units: "s" }, overrides: [] } }),
];

testWith(
  isLong ? await notFetched(SCHEMA, QUERIES) : "only with LONG",
  "the dashboard is as Grafana's own schema has it, and what is not would be found",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const script = `${temporary.path}/dashboard.ts`;
    const right = `export const right: Dashboard = ${JSON.stringify(dashboard, null, 1)};\n`;
    // The compiler says so where there is no error.
    const wrong = WRONG.map((one, index) =>
      `// @ts-expect-error\nexport const wrong${index}: Dashboard = ${JSON.stringify(one)};\n`
    );
    await Deno.writeTextFile(script, [TYPES, right, ...wrong].join("\n"));
    const args = ["check", "--quiet", "--no-lock", script];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  },
);
