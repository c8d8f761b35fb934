/** What keeps something per connection must not be suspended; and what to do instead. */

import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { onlyForLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { isThere } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Daemon, upgrade } from "./service.ts";

const tools = programs();

/** Where Debian keeps what only the server's user runs; the newest version. */
function programs(): string | null {
  try {
    const root = "/usr/lib/postgresql";
    const versions = [...Deno.readDirSync(root)].map(({ name }) => Number(name));
    return `${root}/${Math.max(...versions)}/bin`;
  } catch {
    return null;
  }
}

const missing = tools === null || !["psql", "pgbench", "pg_isready", "setpriv"].every(isThere)
  ? "no PostgreSQL"
  : Deno.uid() !== 0
  ? "not root: PostgreSQL needs a user of its own"
  : onlyForLong;

Deno.test({
  name: "PostgreSQL, whose connections have a state, is drained, not suspended" +
    (missing === null ? "" : ` (ignored: ${missing})`),
  ignore: missing !== null,
  async fn(t) {
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o777);
    const data = `${temporary.path}/data`;
    const asPostgres = (...command: string[]) => [
      ...["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", ...command],
    ];
    const init = asPostgres(`${tools}/initdb`, "-D", data, "-A", "trust", "--no-sync", "-U", "me");
    const { code, stderr } = await new Running(init, { cwd: "/" }).finished();
    assert.equal(code, 0, stderr);
    await using postgres = new Daemon(freePort());
    const start = async () => {
      await postgres.start(
        ...asPostgres(`${tools}/postgres`, "-D", data, "-p", `${postgres.port}`),
        ...["-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${temporary.path}`],
        ...["-c", "fsync=off"],
      );
      // It accepts connections long before, and refuses them: "the database system is starting up".
      const isReady = ["pg_isready", "-h", "127.0.0.1", "-p", `${postgres.port}`];
      await until(() => new Running(isReady).finished(), ({ code }) => code === 0);
    };
    await start();
    // SIGINT: does not wait for sessions, of which there are none.
    const restart = () => postgres.stop("SIGINT").then(start);
    await using proxy = await Proxy.start({ host: "127.0.0.1", port: postgres.port });
    const env = {
      ...{ PGHOST: "127.0.0.1", PGPORT: `${proxy.address.port}`, PGUSER: "me" },
      ...{ PGDATABASE: "postgres", PGSSLMODE: "disable", PGGSSENCMODE: "disable" },
    };
    const run = (...command: string[]) => new Running(command, { env });
    const psql = () => run("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align");

    await t.step(
      "psql in a transaction loses it, and its session, if it is suspended",
      async () => {
        await using session = psql();
        await session.write("BEGIN; CREATE TABLE lost (a int); SELECT 'in it';\n");
        await session.heard(/in it/, "stdout");
        assert.equal(await upgrade(proxy, () => Promise.resolve(), { suspendQuiet: "100ms" }), 1);
        await session.write("COMMIT; SELECT 'done';\n");
        await session.closeStdin();
        const { code, stdout, stderr } = await session.finished();
        assert.equal(code, 2, stdout + stderr);
        assert.match(stderr, /connection to server was lost|server closed the connection/);
        await using look = run(
          "psql",
          "-Atc",
          "SELECT count(*) FROM pg_tables WHERE tablename='lost'",
        );
        assert.equal((await look.finished()).stdout, "0\n");
      },
    );

    await t.step("pgbench that connects for each transaction sees no restart", async () => {
      const prepared = await run("pgbench", "--initialize", "--quiet", "--no-vacuum").finished();
      assert.equal(prepared.code, 0, prepared.stderr);
      await using bench = run(
        ...["pgbench", "--connect", "--client", "4", "--jobs", "4", "--no-vacuum", "--select-only"],
        ...["--transactions", "60"],
      );
      await proxy.until(({ accepted }) => accepted > 10);
      await upgrade(proxy, restart);
      const { code, stdout, stderr } = await bench.finished();
      assert.equal(code, 0, stderr);
      assert.match(stdout, /number of transactions actually processed: 240\/240/);
    });

    await t.step(
      "who holds one connection while it waits for a second is in its own way",
      async () => {
        await using session = psql();
        await session.write("SELECT 'first';\n");
        await session.heard(/first/, "stdout");
        await using drain = proxy.startCtl(["drain", "--timeout", "1s"]);
        await drain.heard(/1 active/);
        await session.write("\\! psql -Atc \"SELECT 'second'\"\nSELECT 'third';\n");
        await session.closeStdin();
        await proxy.until(({ queued }) => queued === 1);
        assert.equal((await drain.finished()).code, 4);
        // The deadline has let the second one in, and so the first one go on.
        const { code, stdout } = await session.finished();
        assert.deepEqual([code, stdout], [0, "first\nsecond\nthird\n"]);
      },
    );
  },
});
