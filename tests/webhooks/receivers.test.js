// What receivers see, verified by the official package of Standard Webhooks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { deliver, deliveries, happen, receiver, rpc } from "./shop.js";

const { ANON_KEY } = process.env;

test("an event comes signed, again until it is accepted, and is known by its id", async (t) => {
  const shop = await receiver(t, (response, nth) => {
    response.writeHead(nth < 3 ? 500 : 200).end(nth < 3 ? "no" : "yes");
  });
  const customer = await happen();
  for (let nth = 1; nth <= 3; nth++) {
    const answer = await deliver();
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.equal(shop.came.length, nth);
    // It would come by itself in a while.
    const [delivery] = await deliveries(shop);
    if (nth < 3) await rpc("retry_delivery", { p_delivery_id: delivery.id });
  }
  await deliver();
  assert.equal(shop.came.length, 3, "what was accepted comes no more");

  const webhook = new Webhook(shop.secret);
  const seen = new Map();
  for (const { body, headers, method } of shop.came) {
    const event = webhook.verify(body, headers);
    assert.equal(method, "POST");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(event.type, "customer.changed");
    assert.equal(event.subject, customer);
    assert.equal(event.id, headers["webhook-id"]);
    assert.ok(Math.abs(new Date(event.timestamp) - Date.now()) < 600_000);
    assert.equal(headers.authorization, undefined);
    assert.equal(headers.apikey, undefined);
    seen.set(headers["webhook-id"], event);
  }
  assert.equal(seen.size, 1);
  const [{ body, headers }] = shop.came;
  assert.throws(() => webhook.verify(`${body} `, headers));
  assert.throws(() =>
    new Webhook(`whsec_${btoa("another")}`).verify(body, headers)
  );

  const [delivery] = await deliveries(shop);
  assert.equal(delivery.state, "delivered");
  assert.deepEqual(
    delivery.log.map(({ status, answer }) => [status, answer]),
    [[500, "no"], [500, "no"], [200, "yes"]],
  );
});

test("while a secret is rolled both verify", async (t) => {
  const shop = await receiver(t, (response) => response.end());
  const { secret } = await rpc("roll_webhook_secret", {
    p_endpoint_id: shop.endpoint.id,
  });
  await rpc("send_test_event", { p_endpoint_id: shop.endpoint.id });
  await deliver();
  assert.equal(shop.came.length, 1);
  const [{ body, headers }] = shop.came;
  for (const each of [secret, shop.secret]) {
    assert.equal(new Webhook(each).verify(body, headers).type, "webhook.test");
  }
});

test("a slow one holds up no other, and what takes too long is tried again", async (t) => {
  let free;
  const held = new Promise((resolve) => free = resolve);
  const slow = await receiver(t, async (response) => {
    await held;
    response.end();
  });
  const fast = await receiver(t, (response) => response.end());
  const reset = await receiver(t, (response) => response.destroy());
  const moved = await receiver(
    t,
    (response) => response.writeHead(302, { location: fast.url }).end(),
  );
  const large = await receiver(t, (response) => response.end("x".repeat(3e6)));
  const gone = await receiver(t, (response) => response.writeHead(410).end());
  const busy = await receiver(
    t,
    (response) => response.writeHead(429, { "retry-after": "7200" }).end(),
  );
  await happen();
  const call = deliver();
  // The others are recorded while the slow one is waited for.
  for (let tries = 0;; tries++) {
    const done = await Promise.all(
      [fast, reset, moved, large, gone, busy].map((each) => deliveries(each)),
    );
    if (done.every(([first]) => first?.log.length === 1)) break;
    assert.ok(tries < 1_000, JSON.stringify(done));
  }
  assert.equal(slow.came.length, 1);
  assert.equal((await deliveries(slow))[0].log.length, 0);
  free();
  const answer = await call;
  assert.deepEqual(
    [answer.claimed, answer.delivered, answer.failed],
    [7, 3, 4],
    JSON.stringify(answer),
  );

  const outcome = async (each) => {
    const [{ state, log: [{ status, error, answer }] }] = await deliveries(
      each,
    );
    return [state, status ?? error, answer?.length ?? 0];
  };
  assert.deepEqual(await outcome(slow), ["delivered", 200, 0]);
  assert.deepEqual(await outcome(fast), ["delivered", 200, 0]);
  assert.deepEqual(await outcome(reset), ["pending", "broken", 0]);
  assert.deepEqual(await outcome(moved), ["pending", 302, 0]);
  assert.deepEqual(await outcome(large), ["delivered", 200, 1_024]);
  assert.deepEqual(await outcome(gone), ["dead", 410, 0]);
  assert.deepEqual(await outcome(busy), ["pending", 429, 0]);
  assert.equal(fast.came.length, 1, "a redirect is not followed");
  const [{ next_attempt_at }] = await deliveries(busy);
  assert.ok(new Date(next_attempt_at) - Date.now() > 7_000_000);
  const { endpoints } = await rpc("list_webhook_endpoints");
  const { active } = endpoints.find(({ id }) => id === gone.endpoint.id);
  assert.equal(active, false);
});

test("two workers at once send each event once", async (t) => {
  const shop = await receiver(t, (response) => response.end());
  for (let n = 0; n < 12; n++) await happen();
  for (let claimed = 1; claimed > 0;) {
    const answers = await Promise.all([deliver(), deliver(), deliver()]);
    claimed = answers.reduce((sum, each) => sum + each.claimed, 0);
  }
  assert.equal(shop.came.length, 12);
  const ids = new Set(shop.came.map(({ headers }) => headers["webhook-id"]));
  assert.equal(ids.size, 12);
});

test("who does not know the secret claims nothing", async (t) => {
  const shop = await receiver(t, (response) => response.end());
  await happen();
  for (const secret of ["", "a guess", ANON_KEY]) {
    const { status, error } = await deliver(secret);
    assert.deepEqual([status, error], [400, "DELIVER_SECRET_INVALID"]);
  }
  assert.equal(shop.came.length, 0);
});
