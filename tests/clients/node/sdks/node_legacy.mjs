// npm `statsig-node`, unchanged but for URL and key: custom events of each kind and an exposure of each kind.
import statsig from "statsig-node";

import { user } from "./user.mjs";

const [url, key] = process.argv.slice(2);
await statsig.initialize(key, { api: `${url}/v1`, environment: { tier: "staging" } });
statsig.logEvent(user, "text_value", "pro", { plan: "yearly" });
statsig.logEvent(user, "number_value", 12.5, { nested: { a: [1, 2] } });
statsig.logEvent(user, "no_value");
statsig.manuallyLogGateExposure(user, "a_gate");
statsig.manuallyLogConfigExposure(user, "a_config");
statsig.manuallyLogLayerParameterExposure(user, "a_layer", "a_parameter");
await statsig.flush();
await statsig.shutdownAsync();
