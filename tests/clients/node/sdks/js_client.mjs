// npm `@statsig/js-client` in Node, unchanged but for URL and key: custom events of each kind and exposures.
import { StatsigClient } from "@statsig/js-client";

import { user } from "./user.mjs";

const [url, key] = process.argv.slice(2);
const statsig = new StatsigClient(key, user, {
  networkConfig: { api: `${url}/v1` },
  environment: { tier: "staging" },
  loggingEnabled: "always",
});
await statsig.initializeAsync();
statsig.logEvent("text_value", "pro", { plan: "yearly" });
statsig.logEvent("number_value", 12.5, { n: "2" });
statsig.logEvent("no_value");
statsig.checkGate("a_gate");
statsig.getExperiment("a_config");
await statsig.flush();
await statsig.shutdown();
