// The built WASM under changed input: whatever text or number crosses the boundary,
// nothing is thrown, and a step is a call or an answer of the usual shape. The
// native code is searched much more thoroughly by `npm run fuzz`.
import assert from "node:assert/strict";
import * as claimRoute from "../claim-route/core.js";
import type { Call, Core, State, Step } from "./core.ts";
import { CORES } from "./cores.ts";

const CHANGES = 2_000;

const HOST = {
  now: 1_800_000_000_000,
  elapsed: 5,
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

// What the shim hands over is a text or none, a number, true or false: TypeScript sees to that.
const text = (value: Json): string => typeof value === "string" ? value : "";
const perhaps = (value: Json): string | undefined =>
  typeof value === "string" ? value : undefined;
const number = (value: Json): number => typeof value === "number" ? value : 0;
const perhapsNumber = (value: Json): number | undefined =>
  typeof value === "number" ? value : undefined;

function begin(core: Core, request: Json): Step {
  const { host } = request ?? {};
  const lines = [
    text(request?.method),
    text(host?.id),
    text(request?.requestId),
    text(request?.contentType),
    text(request?.authorization),
    typeof request?.shop === "string" ? `=${request.shop}` : "",
    perhaps(request?.idempotencyKey),
  ];
  const head = lines.filter((line) => line !== undefined).join("\n");
  const [now, timeout] = [number(host?.now), number(host?.timeout)];
  const body = perhaps(request?.body);
  return body === undefined
    ? core.beginWithout(head, request?.bodyFault, now, timeout)
    : core.begin(head, body, now, timeout);
}

function resume(core: Core, call: Json, outcome: Json, host: Json): Step {
  const state = text(call?.[1]) as State;
  const [elapsed, random] = [number(host?.elapsed), number(host?.random)];
  return outcome?.kind === "answered"
    ? core.resume(
      state,
      number(outcome?.status),
      text(outcome?.body),
      outcome?.replayed === true,
      perhapsNumber(outcome?.retryAfter),
      elapsed,
      random,
    )
    : core.resumeWithout(state, outcome?.kind, elapsed, random);
}

/** The reply of a step must be one that the shim can send; returns the call. */
function check(step: Step, input: Json): Call | undefined {
  const shown = () => JSON.stringify([input, step]).slice(0, 2_000);
  if (step[0]) {
    const [, state, body, delayMs, timeoutMs] = step;
    assert.equal(typeof state, "string", shown());
    assert.ok(["string", "undefined"].includes(typeof body), shown());
    assert.equal(typeof delayMs, "number", shown());
    assert.equal(typeof timeoutMs, "number", shown());
    return step;
  }
  const [, status, headers, body] = step;
  const response = new Response(body, { status, headers: JSON.parse(headers) });
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
      const input = {
        request: { ...known.request, host: HOST },
        outcomes: known.outcomes,
        host: HOST,
      };
      const { request, outcomes, host } = changed(input, random) ?? {};
      let call = check(begin(core, request), request);
      for (let step = 0; call && step < 4; step++) {
        if (random(4) === 0) call = changed(call, random) as Call;
        const outcome = outcomes?.[step] ?? { kind: "unsent" };
        const again = resume(core, call, outcome, host);
        call = check(again, [call, outcome, host]);
      }
    }
  });
}

// What reads URLs of other kinds is cut out of the module: nothing may lead there.
Deno.test("any SUPABASE_URL makes a profile or an error", () => {
  const random = randomFrom(2);
  const pieces = [
    ...[
      "http://",
      "https://",
      "file:",
      "ftp://",
      "HTTP:",
      "//",
      "/",
      "\\",
      ":",
    ],
    ...["[::1]", "[", "]", "127.0.0.1", "0x7f.1", "1.2.3.4.5", "999", "65536"],
    ...[
      "h",
      "H",
      "h-1.example",
      "h_1",
      "xn--4ca",
      "XN--4ca",
      "é",
      "%c3%a9",
      "%41",
      "%",
    ],
    ...[
      "@",
      "?",
      "#",
      "..",
      ".",
      "-",
      "\t",
      "\n",
      " ",
      "\0",
      "\ud800",
      "C|",
      "😀",
    ],
  ];
  let profiles = 0;
  for (let count = 0; count < 20_000; count++) {
    let url = random(3) > 0 ? pieces[random(2)] : "";
    for (let length = random(6); length > 0; length--) {
      url += pieces[random(pieces.length)];
    }
    const { profile, log } = claimRoute.profile({
      url,
      key: "k",
      timeoutMs: null,
    });
    assert.equal(profile === null, typeof log === "string", url);
    if (profile) {
      profiles += 1;
      // V8 reads it in the same way.
      const plain = new URL(
        `${url.replace(/\/+$/, "")}/rest/v1/rpc/claim_route`,
      );
      assert.equal(profile.url, plain.href, url);
    }
  }
  assert.ok(profiles > 1_000, `${profiles} profiles`);
});
