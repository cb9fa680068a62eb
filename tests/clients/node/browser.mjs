// A headless Chromium, driven by lines of JSON on standard input; each answer is a line on standard output.
//
//   {"open": url}                        a new page; answers when it has loaded
//   {"call": name, "argument": value}    window[name](value) in the page; answers with what it returns
//   {"requests": true}                   what the page has asked for since it was opened: method, URL, whether it is answered
//   {"close": true}                      leave the page, as a user does
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.argv[2],
  // Without these it looks up its maker's hosts by itself.
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update"],
});
const context = await browser.newContext();
let page;
let requests;

async function open(url) {
  page = await context.newPage();
  requests = [];
  // By the protocol of the developer tools: Playwright's own events leave out preflights.
  const session = await context.newCDPSession(page);
  const sent = new Map();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    sent.set(requestId, { method: request.method, url: request.url, answered: false });
    requests.push(sent.get(requestId));
  });
  session.on("Network.responseReceived", ({ requestId }) => sent.has(requestId) && (sent.get(requestId).answered = true));
  await session.send("Network.enable");
  await page.goto(url, { timeout: 20_000 });
}

async function answer(asked) {
  if (asked.open) return await open(asked.open);
  if (asked.call) return await page.evaluate(([name, value]) => window[name](value), [asked.call, asked.argument]);
  if (asked.requests) return requests;
  if (asked.close) return await page.close({ runBeforeUnload: true });
  throw new Error(`not understood: ${Object.keys(asked)}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify((await answer(JSON.parse(line))) ?? null));
}
await browser.close();
