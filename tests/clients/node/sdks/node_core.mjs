// npm `@statsig/statsig-node-core`, unchanged but for URL and key: custom events of each kind and exposures.
import { Statsig, StatsigUser } from "@statsig/statsig-node-core";

import { user as fields } from "./user.mjs";

const [url, key] = process.argv.slice(2);
const statsig = new Statsig(key, {
  specsUrl: `${url}/v2/download_config_specs`,
  logEventUrl: `${url}/v1/log_event`,
  environment: "staging",
});
await statsig.initialize();
const user = new StatsigUser(fields);
statsig.logEvent(user, "text_value", "pro", { plan: "yearly" });
statsig.logEvent(user, "number_value", 12.5, { n: "2" });
statsig.logEvent(user, "no_value");
statsig.checkGate(user, "a_gate");
statsig.getExperiment(user, "a_config");
await statsig.flushEvents();
await statsig.shutdown();
