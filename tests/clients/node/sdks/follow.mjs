// Runs an SDK of this folder in Node:  node sdks/follow.mjs NAME URL KEY
//
// Lines of standard input are commands, and each is printed once it has been followed: "log ROUND" logs an event of each
// kind, with the round in their names; "flush" begins to send. At the end of input the SDK is shut down.
import { createInterface } from "node:readline";

const [name, url, key] = process.argv.slice(2);
const { start } = await import(`./${name}.mjs`);
const sdk = await start(url, key);
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [command, round] = line.split(" ");
  if (command === "log") sdk.log(round);
  else sdk.flush(); // not awaited: some wait until they give up
  console.log(line);
}
await sdk.end();
