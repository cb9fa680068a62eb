// A headless Chromium, driven by lines of JSON on standard input; each answer is a line on standard output.
//
//   {"open": url}                        a new page; answers when it has loaded
//   {"call": name, "argument": value}    window[name](value) in the page; answers with what it returns
//   {"requests": true}                   what the page has asked for since it was opened: method, URL, whether it is answered
//   {"origins": true}                    whom all pages of that name have asked for anything
//   {"close": true}                      leave the page, as a user does
//   {"closed": true}                     whether it has gone
//
// Each may have "page", a name: pages of one name share their storage, and no others do.
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.argv[2],
  // Without these it looks up its maker's hosts by itself.
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update"],
});
const visitors = new Map();

async function visitor(name) {
  if (!visitors.has(name)) {
    const context = await browser.newContext();
    const origins = new Set();
    // Besides what is seen below: what a page sends as it is left.
    context.on("request", (request) => origins.add(new URL(request.url()).origin));
    visitors.set(name, { context, origins });
  }
  return visitors.get(name);
}

async function open(visitor, url) {
  visitor.page = await visitor.context.newPage();
  const requests = (visitor.requests = []);
  // By the protocol of the developer tools: Playwright's own events leave out preflights.
  const session = await visitor.context.newCDPSession(visitor.page);
  const sent = new Map();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    sent.set(requestId, { method: request.method, url: request.url, answered: false });
    requests.push(sent.get(requestId));
    visitor.origins.add(new URL(request.url).origin);
  });
  session.on("Network.responseReceived", ({ requestId }) => sent.has(requestId) && (sent.get(requestId).answered = true));
  await session.send("Network.enable");
  await visitor.page.goto(url, { timeout: 20_000 });
}

async function answer({ page = "", ...asked }) {
  const visiting = await visitor(page);
  if (asked.open) return await open(visiting, asked.open);
  if (asked.call) {
    return await visiting.page.evaluate(([name, value]) => window[name](value), [asked.call, asked.argument]);
  }
  if (asked.requests) return visiting.requests;
  if (asked.origins) return [...visiting.origins];
  if (asked.close) return await visiting.page.close({ runBeforeUnload: true });
  if (asked.closed) return visiting.page.isClosed();
  throw new Error(`not understood: ${Object.keys(asked)}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify((await answer(JSON.parse(line))) ?? null));
}
await browser.close();
