// npm `@statsig/js-client`, unchanged but for URL and key, in Node and in a page.
import { StatsigClient } from "@statsig/js-client";

import { user } from "./user.mjs";

export async function start(url, key, options = {}) {
  const statsig = new StatsigClient(key, user, {
    networkConfig: { api: `${url}/v1`, sdkExceptionUrl: `${url}/v1/sdk_exception` },
    environment: { tier: "staging" },
    loggingEnabled: "always",
    // A layer without values exposes none of them.
    overrideAdapter: { getLayerOverride: (layer) => ({ ...layer, __value: { a_parameter: "on" } }) },
    ...options,
  });
  await statsig.initializeAsync();
  return {
    log(round) {
      statsig.logEvent(`${round}_no_value`);
      statsig.logEvent(`${round}_number_value`, 12.5, { n: "2" });
      statsig.logEvent(`${round}_text_value`, "pro", { plan: "yearly" });
      statsig.logEvent(`${round}_nested`, null, { cart: { items: [1, 2.5, "x"] } });
      statsig.checkGate(`${round}_gate`);
      statsig.getExperiment(`${round}_config`);
      statsig.getLayer(`${round}_layer`).get("a_parameter");
    },
    flush: () => statsig.flush(),
    end: () => statsig.shutdown(),
  };
}
