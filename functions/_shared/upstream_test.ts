import assert from "node:assert/strict";
import type { Core, Profile, Reply, State, Step } from "./core.ts";
import { serve } from "./serve.ts";
import { captured, json, upstream, USER } from "./testing.ts";
import { secondsToWait } from "./upstream.ts";

Deno.test("each call goes to whom it is for, with the credentials that are theirs", async () => {
  const database = upstream(() => json('{"id":1}'));
  const provider = upstream((attempt) =>
    attempt === 1
      ? new Response("", { status: 502 })
      : attempt === 2
      ? json('{"id":"pi_1"}')
      : json(`{"x":"${"x".repeat(2_000)}"}`)
  );
  const outlet = upstream(() => json("{}"));
  const profile: Profile = {
    url: `${database.url}/rest/v1/rpc/begin`,
    method: "POST",
    headers: { apikey: "k", "content-type": "application/json" },
    signatureHeader: null,
    timeoutMs: 2_000,
    maxBodyBytes: 100,
    maxAnswerBytes: 1_000,
    thirdParty: {
      url: provider.url,
      headers: { authorization: "Bearer secret" },
    },
    outlets: { KNOWN: { url: outlet.url, headers: { "x-apikey": "own" } } },
  };
  const to = (thirdParty: boolean, path: string, method = "POST") =>
    JSON.stringify({
      to: thirdParty ? "third_party" : "rpc",
      method,
      path,
      headers: thirdParty && method === "POST"
        ? { "content-type": "application/x-www-form-urlencoded" }
        : {},
    });
  const through = (outlet: string) =>
    JSON.stringify({
      to: "anybody",
      method: "POST",
      path: "/emails",
      headers: { "idempotency-key": "k" },
      outlet,
    });
  const state = "state" as State;
  const steps: Step[] = [
    [true, state, "{}", 0, 1_000],
    [true, state, "a=1&b=%C3%BC", 0, 1_000, to(true, "/v1/intents")],
    [true, state, undefined, 1, 1_000],
    [true, state, '{"p_id":1}', 0, 1_000, to(false, "store")],
    [true, state, "{}", 0, 1_000, through("KNOWN")],
    [true, state, "{}", 0, 1_000, through("UNKNOWN")],
    [true, state, "", 0, 1_000, to(true, "/v1/intents/pi_1", "GET")],
    [false, 200, "{}", "{}", undefined],
  ];
  const outcomes: unknown[] = [];
  const next = (...told: unknown[]) => {
    outcomes.push(told[1]);
    return steps.shift()!;
  };
  const core: Core = {
    __wbg_reset_state() {},
    profile: () => ({ profile, log: null, answerHeaders: {} }),
    begin: next,
    beginWithout: next,
    resume: next,
    resumeWithout: next,
    trapped: () => [false, 500, "{}", undefined, "trapped"] as Reply,
    misconfigured: () => [false, 500, "{}", undefined, undefined] as Reply,
  };
  const handler = serve(core, { url: null, key: null, timeoutMs: null });
  const lines = await captured(async () => {
    const request = new Request("http://127.0.0.1/", {
      method: "POST",
      headers: { authorization: USER, "x-shop": "berlin" },
      body: "{}",
    });
    assert.equal((await handler(request)).status, 200);
  });
  await database.close();
  await provider.close();
  await outlet.close();
  assert.deepEqual(lines, []);
  // The last answer is larger than it may be.
  assert.deepEqual(
    outcomes.slice(1),
    [200, 502, 200, 200, 200, "unset", "unreadable"],
  );
  assert.deepEqual(
    outlet.requests.map(({ url, headers }) => [
      new URL(url).pathname,
      headers.get("x-apikey"),
      headers.get("idempotency-key"),
      headers.get("authorization"),
      headers.get("apikey"),
      headers.get("x-shop"),
    ]),
    [["/emails", "own", "k", null, null, null]],
  );
  const seen = ({ requests }: typeof database) =>
    requests.map(({ url, headers, body }) => [
      new URL(url).pathname,
      headers.get("authorization"),
      headers.get("apikey"),
      headers.get("content-type"),
      headers.get("x-shop"),
      body,
    ]);
  assert.deepEqual(seen(database), [
    ["/rest/v1/rpc/begin", USER, "k", "application/json", "berlin", "{}"],
    [
      "/rest/v1/rpc/store",
      USER,
      "k",
      "application/json",
      "berlin",
      '{"p_id":1}',
    ],
  ]);
  const form = "application/x-www-form-urlencoded";
  assert.deepEqual(seen(provider), [
    ["/v1/intents", "Bearer secret", null, form, null, "a=1&b=%C3%BC"],
    ["/v1/intents", "Bearer secret", null, form, null, "a=1&b=%C3%BC"],
    ["/v1/intents/pi_1", "Bearer secret", null, null, null, ""],
  ]);
});

Deno.test("Retry-After has seconds or a date, and what is neither is not a number", () => {
  assert.equal(secondsToWait(null), undefined);
  assert.equal(secondsToWait("0"), 0);
  assert.equal(secondsToWait("120"), 120);
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  const seconds = secondsToWait(inAMinute) ?? NaN;
  assert.ok(seconds > 58 && seconds <= 60, `${seconds}`);
  assert.equal(secondsToWait("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
  assert.equal(secondsToWait("Wednesday, 21-Oct-15 07:28:00 GMT"), 0);
  for (const text of ["", "-5", "1.5", "1e3", "soon", "Wed, 99 Xyz 2015"]) {
    assert.equal(secondsToWait(text), NaN, text);
  }
});
