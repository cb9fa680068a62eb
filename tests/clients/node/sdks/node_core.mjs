// npm `@statsig/statsig-node-core`, unchanged but for URL and key.
import { Statsig, StatsigUser } from "@statsig/statsig-node-core";

import { user as fields } from "./user.mjs";

export async function start(url, key) {
  const statsig = new Statsig(key, {
    specsUrl: `${url}/v2/download_config_specs`,
    logEventUrl: `${url}/v1/log_event`,
    environment: "staging",
  });
  await statsig.initialize();
  const user = new StatsigUser(fields);
  return {
    log(round) {
      statsig.logEvent(user, `${round}_no_value`);
      statsig.logEvent(user, `${round}_number_value`, 12.5, { n: "2" });
      statsig.logEvent(user, `${round}_text_value`, "pro", { plan: "yearly" });
      statsig.logEvent(user, `${round}_nested`, null, { cart: { items: [1, 2.5, "x"] } });
      statsig.checkGate(user, `${round}_gate`);
      statsig.getExperiment(user, `${round}_config`);
      statsig.manuallyLogLayerParamExposure(user, `${round}_layer`, "a_parameter");
    },
    flush: () => statsig.flushEvents(),
    end: () => statsig.shutdown(),
  };
}
