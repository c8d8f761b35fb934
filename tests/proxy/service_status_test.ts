import assert from "node:assert/strict";
import { ServiceStatus, type Told } from "../../lib/proxy/service_status.ts";
import { NotifySocket } from "../handover/service_manager.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

Deno.test("only what is new is told, and nothing once another process serves", () => {
  const told: string[] = [];
  let now: Told | null = { state: "open", active: 3, queued: 0 };
  const status = new ServiceStatus(() => now, (text) => void told.push(text));
  const becomes = (next: Told | null) => {
    now = next;
    status.update();
    status.update();
  };
  becomes({ state: "open", active: 3, queued: 0 });
  becomes({ state: "open", active: 4, queued: 0 });
  becomes({ state: "draining", active: 3, queued: 4 });
  becomes({ state: "draining", active: 3, queued: null });
  becomes({ state: "drained", active: 0, queued: 4 });
  becomes({ state: "open", active: 4, queued: 0 });
  becomes(null);
  assert.deepEqual(told, [
    "open",
    "draining, 3 active, 4 queued",
    "draining, 3 active",
    "drained, 0 active, 4 queued",
    "open",
  ]);
});

testWith(
  whyNoEpoll(),
  "the service manager hears in words how a drain goes, and who waits for its end",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const name = `${temporary.path}/notify`;
    using manager = new NotifySocket(name);
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { env: { NOTIFY_SOCKET: name } });
    await manager.until(/^STATUS=open$/);
    using active = await proxy.served();
    await using drain = proxy.startCtl(["drain", "--owner", "me"]);
    await manager.until(/^STATUS=draining, 1 active, 0 queued$/);
    using held = await proxy.connect();
    await manager.until(/^STATUS=draining, 1 active, 1 queued$/);
    active.finish();
    await manager.until(/^STATUS=drained, 0 active, 1 queued$/);
    await drain.finished();
    await proxy.resume();
    // Else its end would be waited for.
    held[Symbol.dispose]();
    await manager.until(/^STATUS=open$/, 2);
    proxy.process.kill("SIGTERM");
    await manager.until(/^STOPPING=1$/);
    await manager.until(/^STATUS=stopping, /);
  },
);
