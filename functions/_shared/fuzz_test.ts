// The built WASM under changed input: whatever crosses the boundary, nothing is
// thrown, and a step is a call or an answer of the usual shape. The native code
// is searched much more thoroughly by `npm run fuzz`.
import assert from "node:assert/strict";
import * as checkout from "../checkout/core.js";
import * as claimRoute from "../claim-route/core.js";
import * as promoValidate from "../promo-validate/core.js";
import type { Call, Core, CoreRequest, Host, Outcome, Step } from "./core.ts";

const CORES: [string, Core][] = [
  ["checkout", checkout],
  ["claim-route", claimRoute],
  ["promo-validate", promoValidate],
];
const CHANGES = 2_000;

const HOST: Host = {
  now: 1_800_000_000_005,
  random: 0.5,
  id: "fresh-id",
  timeout: 10_000,
};

// deno-lint-ignore no-explicit-any
type Json = any;

const ODD: Json[] = [
  null,
  undefined,
  true,
  -1,
  0.5,
  1e300,
  NaN,
  Infinity,
  2 ** 53,
  4_294_967_295,
  "",
  "\0",
  "\ud800",
  "😀",
  "{}",
  "[1e999]",
  '{"a":"\\ud800"}',
  "[".repeat(40),
  "x".repeat(70_000),
  [],
  [[]],
  {},
  { __proto__: null, toString: 1 },
];

const PIECES = ODD.filter((odd) => typeof odd === "string");

/** Numbers that are the same each time (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The value with one part of it changed; a text may be JSON again. */
function changed(value: Json, random: (below: number) => number): Json {
  if (typeof value === "string" && random(3) > 0) {
    try {
      return JSON.stringify(changed(JSON.parse(value), random)) ?? "";
    } catch {
      const at = random(value.length + 1);
      const piece = PIECES[random(PIECES.length)];
      return value.slice(0, at) + piece + value.slice(at + random(4));
    }
  }
  const names = typeof value === "object" && value !== null
    ? Object.keys(value)
    : [];
  if (names.length === 0 || random(12) === 0) return ODD[random(ODD.length)];
  const name = names[random(names.length)];
  const copy = Array.isArray(value) ? [...value] : { ...value };
  if (random(8) === 0) delete copy[name];
  else copy[name] = changed(copy[name], random);
  return copy;
}

/** The reply of a step must be one that the shim can send; returns the call. */
function check(step: Step, input: Json): Call | undefined {
  const shown = () => JSON.stringify([input, step]).slice(0, 2_000);
  if (step.call) {
    assert.equal(typeof step.call.body, "string", shown());
    return step.call;
  }
  const { status, headers, body } = step.reply;
  const response = new Response(body, { status, headers });
  if (status === 204 || status === 200) return;
  const error = JSON.parse(body ?? "");
  assert.deepEqual(
    Object.keys(error),
    ["error", "code", "message", "details", "hint", "retryable", "request_id"],
    shown(),
  );
  assert.ok(status >= 400 && status < 600, shown());
  assert.equal(response.headers.get("x-request-id"), error.request_id, shown());
  assert.equal(response.headers.has("retry-after"), error.retryable, shown());
}

for (const [name, core] of CORES) {
  Deno.test(`${name} throws nothing, whatever crosses the boundary`, async () => {
    const url = new URL(`../../tests/corpus/${name}.json`, import.meta.url);
    const cases: Json[] = JSON.parse(await Deno.readTextFile(url));
    const random = randomFrom(1);
    for (let count = 0; count < CHANGES; count++) {
      const known = cases[random(cases.length)];
      const request: CoreRequest = { ...known.request, host: HOST };
      const input = {
        request,
        outcomes: known.outcomes as Outcome[],
        host: HOST,
      };
      const { request: asked, outcomes, host } = changed(input, random) ?? {};
      let call = check(core.begin(asked), asked);
      for (let step = 0; call && step < 4; step++) {
        if (random(4) === 0) call = changed(call, random) as Call;
        const outcome = outcomes?.[step] ?? { kind: "unsent" };
        call = check(core.resume(call, outcome, host), [call, outcome, host]);
      }
    }
  });
}
