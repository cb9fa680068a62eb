// The SDKs for browsers, as the test's browser calls them.
import { start as js_client } from "./js_client.mjs";
import { start as statsig_js } from "./statsig_js.mjs";

let sdk;

window.start = async ({ name, url, key, options }) => {
  sdk = await { js_client, statsig_js }[name](url, key, options);
};
window.look_away = () => sdk.look_away?.();
window.log = (round) => sdk.log(round);
window.flush = () => {
  sdk.flush(); // not awaited: some wait until they give up
};
