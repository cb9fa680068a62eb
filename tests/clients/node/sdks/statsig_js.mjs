// npm `statsig-js` in Node, unchanged but for URL and key: custom events of each kind and exposures.
import statsigJs from "statsig-js";

import { user } from "./user.mjs";

const [url, key] = process.argv.slice(2);
const statsig = statsigJs.default;
await statsig.initialize(key, user, {
  api: `${url}/v1`,
  eventLoggingApi: `${url}/v1`,
  environment: { tier: "staging" },
  ignoreWindowUndefined: true,
});
statsig.logEvent("text_value", "pro", { plan: "yearly" });
statsig.logEvent("number_value", 12.5, { n: "2" });
statsig.logEvent("no_value");
statsig.checkGate("a_gate");
statsig.getConfig("a_config");
statsig.shutdown();
