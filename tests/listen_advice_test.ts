import assert from "node:assert/strict";
import { listenAdvice } from "../lib/listen_advice.ts";

Deno.test("who cannot listen is told what to do, where something is known", () => {
  assert.equal(
    listenAdvice("EADDRINUSE", 8404, "--listen"),
    "; stop the program that has it, or choose another port with --listen",
  );
  assert.equal(
    listenAdvice("EACCES", 80),
    "; choose a port of at least 1024, or run as root",
  );
  assert.equal(listenAdvice("EACCES", 8080), "");
  assert.equal(listenAdvice("EADDRNOTAVAIL", 80), "");
});
