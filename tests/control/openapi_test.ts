import assert from "node:assert/strict";
import * as v from "valibot";
import { ANSWERS } from "../../lib/control/answers.ts";
import { ENDPOINTS } from "../../lib/control/endpoints.ts";
import { openApi } from "../../lib/control/openapi.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { onlyForLong } from "../support/long.ts";

/** Of the registry, and not of what the programs are made of. */
const VALIDATOR = "npm:@seriousme/openapi-schema-validator@2.11.0";

async function deno(...args: string[]) {
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const fetched = await deno("cache", "--quiet", "--no-lock", VALIDATOR);
const noValidator = fetched.success ? null : `no ${VALIDATOR}`;

testWith(
  onlyForLong ?? noValidator,
  "a public validator finds nothing wrong with the description",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const validate = async (description: object) => {
      const path = `${temporary.path}/openapi.json`;
      await Deno.writeTextFile(path, JSON.stringify(description));
      const run = ["run", "--quiet", "--no-lock", "--allow-read", "--allow-env"];
      const { stdout, stderr } = await deno(...run, `${VALIDATOR}/validate-api`, path);
      return `${stdout}${stderr}`;
    };
    const right = openApi();
    assert.match(await validate(right), /"valid": true/);
    // It would have found it.
    assert.match(await validate({ ...right, info: {} }), /"valid": false/);
  },
);

Deno.test("what can be asked is what is described, with the method that is named", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const get = async (path: string) => JSON.parse((await proxy.request("GET", path)).text);
  const { endpoints } = v.parse(ANSWERS.endpoints, await get("/"));
  assert.deepEqual(
    endpoints,
    ENDPOINTS.map(({ method, path, about }) => ({ method, path, about })),
  );
  assert.deepEqual(await get("/v1/openapi.json"), JSON.parse(JSON.stringify(openApi())));
  const { text: missing } = await proxy.request("GET", "/nowhere");
  const paths = [...new Set(ENDPOINTS.map(({ path }) => path))].sort();
  const named = JSON.parse(missing).error.message.split("there is: ")[1].split(" ");
  assert.deepEqual(named.map((path: string) => path.replace("ID", "{id}")).sort(), paths);
  for (const { method, path } of ENDPOINTS) {
    const { status } = await proxy.request(method, path.replace("{id}", "0"), "{");
    assert.notEqual(status, 405, `${method} ${path}`);
    const { status: other } = await proxy.request("PATCH", path.replace("{id}", "0"));
    assert.equal(other, 405, path);
  }
});

Deno.test("what is answered is as described, field by field", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const ask = async (
    answer: keyof typeof ANSWERS,
    method: string,
    path: string,
    body: string | object = "",
  ) => {
    const { text } = await proxy.request(method, path, body);
    for (const line of text.trimEnd().split("\n")) {
      const { issues } = v.safeParse(ANSWERS[answer], JSON.parse(line));
      assert.deepEqual(issues, undefined, `${method} ${path}: ${line}`);
    }
    return text;
  };
  using _client = await proxy.served();
  await ask("status", "GET", "/v1/status");
  const { connections: [{ id }] } = JSON.parse(
    await ask("connections", "GET", "/v1/connections"),
  );
  await ask("connections", "GET", "/v1/connections?sort=idle&limit=5");
  await ask("connections", "GET", "/v1/connections?group=peer");
  assert.match(
    await ask("error", "GET", "/v1/connections?limit=0"),
    /"limit: is no whole number from 1 to 999999"/,
  );
  await ask("drain", "POST", "/v1/drain", { owner: "me", dryRun: true });
  await ask("drain", "POST", "/v1/drain", { owner: "me", timeout: "1ms" });
  await ask("killed", "DELETE", `/v1/connections/${id}`);
  await proxy.until(({ active }) => active === 0);
  await ask("error", "DELETE", `/v1/connections/${id}`);
  await ask("drain", "POST", "/v1/drain", { owner: "me" });
  await ask("status", "GET", "/v1/status");
  await ask("released", "POST", "/v1/released", { owner: "me" });
  await ask("stayDrained", "POST", "/v1/stay-drained", { owner: "me" });
  await ask("resumed", "POST", "/v1/resume", { owner: "me" });
  await ask("history", "GET", "/v1/history");
  const upstream = (await proxy.status()).upstream;
  await ask("upstream", "GET", "/v1/upstream");
  await ask("retargeted", "PUT", "/v1/upstream", { upstream });
});
