import { print } from "./output.ts";
import { aboutProxy } from "./verb.ts";

/** `proxyctl metrics` */
export const metricsVerb = aboutProxy({
  name: "metrics",
  about: "print the metrics, as Prometheus reads them",
  define() {},
  async run(proxy) {
    print(await proxy.text("GET", "/metrics"));
  },
});
