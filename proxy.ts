/** disnix-tcp-proxy: a TCP proxy that can be drained, for upgrades that no client sees. */

if (import.meta.main) {
  const [mode, ...rest] = Deno.args;
  // Loaded by itself: a process that only waits for others is to be small.
  if (mode === "reap") {
    const { reap } = await import("./lib/reaper/main.ts");
    Deno.exit(reap(rest));
  }
  const { main } = await import("./lib/proxy/main.ts");
  await main();
}
