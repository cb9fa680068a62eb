// Makes the calls that come as lines of JSON on standard input; each answer is a line on standard output.
import { createInterface } from "node:readline";

import XMLHttpRequest from "xhr2";

globalThis.XMLHttpRequest = XMLHttpRequest; // grpc-web knows no other way out; Node itself has none of that name
const { call } = await import("./call.mjs");

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await call(JSON.parse(line))));
}
