// npm `statsig-node`, unchanged but for URL and key.
import statsig from "statsig-node";

import { user } from "./user.mjs";

export async function start(url, key) {
  await statsig.initialize(key, { api: `${url}/v1`, environment: { tier: "staging" } });
  return {
    log(round) {
      statsig.logEvent(user, `${round}_no_value`);
      statsig.logEvent(user, `${round}_number_value`, 12.5, { n: "2" });
      statsig.logEvent(user, `${round}_text_value`, "pro", { plan: "yearly" });
      statsig.logEvent(user, `${round}_nested`, null, { cart: { items: [1, 2.5, "x"] } });
      statsig.manuallyLogGateExposure(user, `${round}_gate`);
      statsig.manuallyLogConfigExposure(user, `${round}_config`);
      statsig.manuallyLogLayerParameterExposure(user, `${round}_layer`, "a_parameter");
    },
    flush: () => statsig.flush(),
    end: () => statsig.shutdownAsync(),
  };
}
