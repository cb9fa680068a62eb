// The page's side: what the test's browser calls.
import { call } from "./call.mjs";

window.call = call;
