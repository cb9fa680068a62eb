// npm `statsig-js`, unchanged but for URL and key, in Node and in a page.
import statsigJs from "statsig-js";

import { user } from "./user.mjs";

const { StatsigClient } = statsigJs;

export async function start(url, key, options = {}) {
  const statsig = new StatsigClient(key, user, {
    api: `${url}/v1`,
    eventLoggingApi: `${url}/v1`,
    environment: { tier: "staging" },
    ignoreWindowUndefined: true,
    initializeValues: {},
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
      statsig.getConfig(`${round}_config`);
      statsig.overrideLayer(`${round}_layer`, { a_parameter: "on" });
      statsig.getLayer(`${round}_layer`).get("a_parameter", "");
    },
    flush: () => statsig.flushEvents(),
    // What it keeps in the page's storage it writes when the window loses the focus, or as the page is left.
    look_away: () => window.dispatchEvent(new Event("blur")),
    end: () => statsig.shutdown(),
  };
}
