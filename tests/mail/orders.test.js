// The mail that confirms an order, through the function `deliver` to the stand-in for Resend.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";

const {
  API_URL,
  ANON_KEY,
  SERVICE_ROLE_KEY,
  DELIVER_SECRET,
  RESEND_API_URL,
  // An order by cash on delivery that was placed since mails are written.
  ORDER_ID,
  ORDER_EMAIL,
} = process.env;

async function ask(path, body, headers = {}, method = "POST") {
  const response = await fetch(`${API_URL}${path}`, {
    method,
    headers: {
      apikey: SERVICE_ROLE_KEY,
      authorization: `Bearer ${SERVICE_ROLE_KEY}`,
      "content-type": "application/json",
      ...headers,
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return text ? JSON.parse(text) : undefined;
}

const rpc = (name, args = {}) => ask(`/rest/v1/rpc/${name}`, args);

/** Calls the function until nothing is due. */
async function deliver() {
  const sum = { claimed: 0, delivered: 0, failed: 0 };
  for (let claimed = 1; claimed > 0;) {
    const answer = await ask("/functions/v1/deliver", undefined, {
      apikey: ANON_KEY,
      authorization: "",
      "x-deliver-secret": DELIVER_SECRET,
    });
    claimed = answer.claimed;
    for (const name of Object.keys(sum)) sum[name] += answer[name];
  }
  return sum;
}

async function tell(path, body, method = "POST") {
  const answer = await fetch(`${RESEND_API_URL}/stand-in${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.equal(answer.status, 200);
  return await answer.json();
}

const sentTo = async (email) =>
  (await tell("/mails", undefined, "GET")).filter(({ to }) => to[0] === email);

let endpoint;
before(async () => {
  endpoint = (await rpc("set_mail_settings")).mail.endpoint_id;
});
after(() => tell("", undefined, "DELETE"));

/** The delivery of an order that this test was given: the mail that confirms it, again in whatever state. */
async function delivery() {
  const { deliveries } = await rpc("list_deliveries", {
    p_endpoint_id: endpoint,
  });
  const own = deliveries.filter(({ subject }) => subject === ORDER_ID);
  assert.equal(own.length, 1, JSON.stringify(deliveries));
  return own[0];
}

async function again(fault) {
  await tell("/faults", { times: 1, name: "application_error", ...fault });
  await rpc("retry_delivery", { p_delivery_id: (await delivery()).id });
  await deliver();
  const { state, next_attempt_at, log } = await delivery();
  return { state, next_attempt_at, ...log.at(-1) };
}

test("an order is confirmed once, and each repetition is the same", async () => {
  const sum = await deliver();
  assert.equal(sum.failed, 0, JSON.stringify(sum));
  const [mail, ...others] = await sentTo(ORDER_EMAIL);
  assert.equal(others.length, 0);
  assert.equal(mail.from, "Shop <orders@shop.example>");
  assert.match(mail.subject, /^Your order \d+ at /);
  assert.match(mail.text, /Total +[\d,.]+\u00a0[A-Z]{3}\n/);
  assert.match(mail.html, /^<!doctype html>/);
  assert.deepEqual(mail.tags, [{ name: "kind", value: "order_confirmed" }]);
  const { state, mail: { kind, recipient } } = await delivery();
  assert.deepEqual([state, kind, recipient], [
    "delivered",
    "order_confirmed",
    ORDER_EMAIL,
  ]);

  // An answer that was lost: it is asked again under the same key, and Resend knows that it has the mail.
  const lost = await again({ status: 500, acts: true });
  assert.deepEqual([lost.state, lost.status], ["pending", 500]);
  await rpc("retry_delivery", { p_delivery_id: (await delivery()).id });
  await deliver();
  assert.equal((await delivery()).state, "delivered");
  assert.equal((await sentTo(ORDER_EMAIL)).length, 1);
});

test("what may pass is tried again, and what will not is dead", async () => {
  const busy = await again({ status: 429, retry_after: "7200" });
  assert.equal(busy.state, "pending");
  assert.ok(new Date(busy.next_attempt_at) - Date.now() > 7_000_000);
  for (
    const [status, name, state] of [
      [409, "concurrent_idempotent_requests", "pending"],
      [401, "invalid_api_key", "pending"],
      [503, "service_unavailable", "pending"],
      [409, "invalid_idempotent_request", "dead"],
      [422, "validation_error", "dead"],
      [410, "gone", "dead"],
    ]
  ) {
    const came = await again({ status, name });
    assert.deepEqual([came.state, came.status], [state, status], name);
    assert.ok(came.answer.includes(name));
  }
  // None of them has switched mails off.
  const { mail } = await rpc("set_mail_settings");
  assert.equal(mail.active, true);
});

test("without a key nothing is sent, and the log says what to set", async (t) => {
  const deno = spawn("node_modules/.bin/deno", [
    ...["serve", "--no-prompt", "--no-lock", "--allow-net"],
    ...["--allow-env", "--host", "127.0.0.1", "--port", "0"],
    "functions/deliver/index.ts",
  ], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DENO_NO_PACKAGE_JSON: "1",
      SUPABASE_URL: API_URL,
      SUPABASE_ANON_KEY: ANON_KEY,
    },
    stdio: ["ignore", "ignore", "pipe"],
    // npm's wrapper has the program as a child.
    detached: true,
  });
  t.after(() => process.kill(-deno.pid));
  const url = await new Promise((resolve, reject) => {
    let said = "";
    deno.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      const [listening] = said.match(/http:\/\/127\.0\.0\.1:\d+\//) ?? [];
      if (listening) resolve(listening);
    }).on("end", () => reject(new Error(said)));
  });
  await rpc("retry_delivery", { p_delivery_id: (await delivery()).id });
  const answer = await fetch(url, {
    method: "POST",
    headers: { "x-deliver-secret": DELIVER_SECRET },
  });
  assert.equal(answer.status, 200, await answer.text());
  const { state, log } = await delivery();
  assert.deepEqual([state, log.at(-1).error], [
    "pending",
    "RESEND_API_KEY is not set",
  ]);
  await rpc("retry_delivery", { p_delivery_id: (await delivery()).id });
  await deliver();
  assert.equal((await delivery()).state, "delivered");
});

test("who complains to Resend gets no mails any more", async () => {
  const p_secret = `whsec_${btoa("thirty-two bytes of a secret: 32")}`;
  await rpc("set_mail_webhook_secret", { p_secret });
  const webhook = new Webhook(p_secret);
  const body = JSON.stringify({
    type: "email.complained",
    created_at: new Date().toISOString(),
    data: { to: [ORDER_EMAIL] },
  });
  const now = new Date();
  const tell = (signature) =>
    fetch(`${API_URL}/functions/v1/mail-webhook`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "svix-id": "msg_1",
        "svix-timestamp": String(Math.floor(now / 1_000)),
        "svix-signature": signature,
      },
      body,
    });
  const forged = await tell(webhook.sign("msg_2", now, body));
  assert.equal(forged.status, 400);
  assert.equal((await forged.json()).details.reason, "mismatch");
  const told = await tell(`v1a,unknown ${webhook.sign("msg_1", now, body)}`);
  assert.deepEqual(await told.json(), {
    success: true,
    outcome: "suppressed",
  });
  await rpc("retry_delivery", { p_delivery_id: (await delivery()).id });
  await deliver();
  const { state, log } = await delivery();
  assert.deepEqual([state, log.at(-1).error], ["skipped", "suppressed"]);
});
