// Stripe's own client against our stand-in for Stripe, so that the stand-in is what the documentation says.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import Stripe from "stripe";

const api = process.env.STRIPE_API_URL;
const webhookSecret = process.env.STRIPE_WEBHOOK_SECRET;
const { hostname, port } = new URL(api);

function client(key = process.env.STRIPE_SECRET_KEY, options = {}) {
  return new Stripe(key, {
    host: hostname,
    port,
    protocol: "http",
    maxNetworkRetries: 0,
    timeout: 5_000,
    ...options,
  });
}

const stripe = client();

/** What the stand-in is told to do. */
async function tell(path, body, method = "POST") {
  const answer = await fetch(`${api}/stand-in${path}`, {
    method,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const said = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(said));
  return said;
}

// The events of this test go here, each as it came.
const came = [];
const receiver = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const signature = request.headers["stripe-signature"];
  came.push({ body: Buffer.concat(chunks), signature });
  response.end();
}).listen(0, "127.0.0.1");
await new Promise((resolve) => receiver.once("listening", resolve));
await tell("/endpoint", `http://127.0.0.1:${receiver.address().port}/`);
after(async () => {
  await tell("", "", "DELETE");
  receiver.closeAllConnections();
  receiver.close();
});

/** The next events of those types, read by Stripe's own code. */
async function events(...types) {
  const events = [];
  for (let tries = 0; tries < 250; tries++) {
    for (const { body, signature } of came.splice(0)) {
      events.push(
        stripe.webhooks.constructEvent(body, signature, webhookSecret),
      );
    }
    const wanted = types.map((type) =>
      events.find((event) => event.type === type)
    );
    if (wanted.every((event) => event)) return wanted;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${types} did not come, but ${events.map(({ type }) => type)}`);
}

const create = (params = {}, options = {}) =>
  stripe.paymentIntents.create({
    amount: 1_299,
    currency: "eur",
    metadata: { order_id: "an order: 1 & 2", payment_id: "é" },
    automatic_payment_methods: { enabled: true },
    ...params,
  }, options);

test("an intent is made, found, confirmed and refunded, and each is told", async () => {
  const intent = await create();
  assert.match(intent.id, /^pi_/);
  assert.match(intent.client_secret, new RegExp(`^${intent.id}_secret_`));
  assert.equal(intent.status, "requires_payment_method");
  assert.deepEqual(
    { ...intent.metadata },
    { order_id: "an order: 1 & 2", payment_id: "é" },
  );
  const found = await stripe.paymentIntents.retrieve(intent.id);
  assert.equal(found.client_secret, intent.client_secret);
  const paid = await stripe.paymentIntents.confirm(intent.id, {
    payment_method: "pm_card_visa",
  });
  assert.equal(paid.status, "succeeded");
  const [created, succeeded] = await events(
    "payment_intent.created",
    "payment_intent.succeeded",
  );
  assert.equal(created.data.object.id, intent.id);
  assert.equal(succeeded.data.object.amount_received, 1_299);
  assert.equal(succeeded.data.object.metadata.order_id, "an order: 1 & 2");

  const part = await stripe.refunds.create({
    payment_intent: intent.id,
    amount: 300,
  });
  assert.equal(part.status, "succeeded");
  await stripe.refunds.create({ payment_intent: intent.id });
  const [refund] = await events("refund.created");
  assert.equal(refund.data.object.payment_intent, intent.id);
  await assert.rejects(
    stripe.refunds.create({ payment_intent: intent.id }),
    { type: "StripeInvalidRequestError", code: "charge_already_refunded" },
  );
});

test("a signature of another text, secret or time is refused by Stripe's own code", async () => {
  await create();
  for (let tries = 0; came.length === 0 && tries < 250; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [{ body, signature }] = came.splice(0);
  const read = (...changed) => () => stripe.webhooks.constructEvent(...changed);
  assert.doesNotThrow(read(body, signature, webhookSecret));
  const refused = { type: "StripeSignatureVerificationError" };
  assert.throws(read(`${body} `, signature, webhookSecret), refused);
  assert.throws(read(body, signature, "whsec_other"), refused);
  const old = signature.replace(/t=\d+/, "t=1000000000");
  assert.throws(read(body, old, webhookSecret), refused);
});

test("a card is declined, and another one pays", async () => {
  const intent = await create();
  const confirm = (payment_method) =>
    stripe.paymentIntents.confirm(intent.id, { payment_method });
  await assert.rejects(confirm("pm_card_chargeDeclined"), {
    type: "StripeCardError",
    statusCode: 402,
    code: "card_declined",
    decline_code: "generic_decline",
  });
  const [failed] = await events("payment_intent.payment_failed");
  assert.equal(failed.data.object.last_payment_error.code, "card_declined");
  assert.equal((await confirm("pm_card_visa")).status, "succeeded");
  await assert.rejects(confirm("pm_card_visa"), {
    code: "payment_intent_unexpected_state",
  });
});

test("a bank takes its time", async () => {
  const intent = await create();
  const waiting = await stripe.paymentIntents.confirm(intent.id, {
    payment_method: "pm_sepaDebit_success",
  });
  assert.equal(waiting.status, "processing");
  await events("payment_intent.processing");
  await tell(`/settle/${intent.id}/succeeded`, "");
  await events("payment_intent.succeeded");
});

test("an idempotency key is one request", async () => {
  const options = { idempotencyKey: crypto.randomUUID() };
  const [one, two] = await Promise.all([
    create({}, options),
    create({}, options),
  ]);
  assert.equal(one.id, two.id);
  await assert.rejects(create({ amount: 1_300 }, options), {
    type: "StripeIdempotencyError",
    statusCode: 400,
  });
  const used = crypto.randomUUID();
  await tell("/keys", used);
  await assert.rejects(create({}, { idempotencyKey: used }), {
    statusCode: 409,
    code: "idempotency_key_in_use",
  });
});

test("what is wrong is refused by its name", async () => {
  const wrong = [
    [{ amount: undefined }, { code: "parameter_missing", param: "amount" }],
    [{ amount: 1.5 }, { code: "parameter_invalid_integer", param: "amount" }],
    [{ amount: 49 }, { code: "amount_too_small" }],
    [{ currency: "euro" }, { param: "currency" }],
    [{ colour: "red" }, { code: "parameter_unknown", param: "colour" }],
  ];
  for (const [params, expected] of wrong) {
    await assert.rejects(create(params), {
      type: "StripeInvalidRequestError",
      statusCode: 400,
      ...expected,
    });
  }
  await assert.rejects(stripe.paymentIntents.retrieve("pi_nobody"), {
    statusCode: 404,
    code: "resource_missing",
  });
  await assert.rejects(client("sk_test_other").paymentIntents.list(), {
    type: "StripeAuthenticationError",
    statusCode: 401,
  });
});

test("a browser needs the intent's own secret, and is not shown the shop's notes", async () => {
  const intent = await create();
  const page = client(process.env.STRIPE_PUBLISHABLE_KEY);
  await assert.rejects(page.paymentIntents.retrieve(intent.id), {
    statusCode: 404,
  });
  const shown = await page.paymentIntents.retrieve(intent.id, {
    client_secret: intent.client_secret,
  });
  assert.equal(shown.metadata, undefined);
  const paid = await page.paymentIntents.confirm(intent.id, {
    client_secret: intent.client_secret,
    payment_method: "pm_card_visa",
  });
  assert.equal(paid.status, "succeeded");
  await assert.rejects(page.refunds.create({ payment_intent: intent.id }), {
    statusCode: 403,
  });
});

test("a cancelled intent stays so", async () => {
  const intent = await create();
  const cancelled = await stripe.paymentIntents.cancel(intent.id);
  assert.equal(cancelled.status, "canceled");
  await events("payment_intent.canceled");
  await assert.rejects(
    stripe.paymentIntents.confirm(intent.id, {
      payment_method: "pm_card_visa",
    }),
    { code: "payment_intent_unexpected_state" },
  );
});

test("faults are injected, and a client finds its way", async () => {
  const path = "/v1/payment_intents";
  const next = (what) =>
    tell("/faults", { times: 1, method: "POST", path, ...what });
  await next({ acts: false, status: 429, retry_after: "1" });
  await assert.rejects(create(), { type: "StripeRateLimitError" });
  await next({ acts: false, status: 503 });
  await assert.rejects(create(), { type: "StripeAPIError", statusCode: 503 });
  // The client itself tries a broken connection once more.
  await next({ acts: false, hangs_up: true, times: 2 });
  await assert.rejects(create(), { type: "StripeConnectionError" });

  // It acts, and its answer is lost: the same key finds what it has done.
  const options = { idempotencyKey: crypto.randomUUID() };
  await next({ acts: true, hangs_up: true, times: 2 });
  await assert.rejects(create({}, options), { type: "StripeConnectionError" });
  const found = await create({}, options);
  const [made] = await events("payment_intent.created");
  assert.ok(made.data.object.id);
  assert.equal(found.lastResponse.headers["idempotent-replayed"], "true");

  // It acts when nobody waits any more.
  const late = { idempotencyKey: crypto.randomUUID() };
  await next({ acts: true, delay_ms: 400 });
  const impatient = client(undefined, { timeout: 100 });
  await assert.rejects(
    impatient.paymentIntents.create({ amount: 700, currency: "eur" }, late),
    { type: "StripeConnectionError" },
  );
  const [there] = await events("payment_intent.created");
  assert.equal(there.data.object.amount, 700);

  // Events come twice, and the last one first.
  await tell("/hold", "");
  const intent = await create();
  await stripe.paymentIntents.confirm(intent.id, {
    payment_method: "pm_card_visa",
  });
  const { sent } = await tell("/send", { reversed: true, times: 2 });
  assert.deepEqual(
    sent.map(({ type, status }) => [type, status]),
    [
      ["payment_intent.succeeded", 200],
      ["payment_intent.succeeded", 200],
      ["payment_intent.created", 200],
      ["payment_intent.created", 200],
    ],
  );
  assert.equal(sent[0].id, sent[1].id);
});
