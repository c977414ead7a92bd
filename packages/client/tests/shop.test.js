// The client against a running stack, over a network that is not always good.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Interlock, InterlockError, submission } from "../dist/index.js";
import { clientOf, fixture, nextUser, ordersOf } from "./fixture.js";
import { badNetwork } from "./proxy.js";
import { store } from "./store.js";

const network = await badNetwork(fixture.apiUrl);
after(() => network.close());

/** @param {import("./fixture.js").User} user */
const shopOf = (user, options = {}) =>
  new Interlock(clientOf(user, network.url), options);

const cart = { cart_items: [{ product_id: fixture.product, quantity: 1 }] };

/**
 * The error that a call ends with.
 * @param {Promise<unknown>} call
 */
async function refused(call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof InterlockError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

test("a driver's day", async () => {
  network.mend();
  const [driver, other] = fixture.drivers.map((user) => shopOf(user));
  assert.ok(driver && other);
  const batch = await driver.claimRoute();
  assert.equal(batch.status, "claimed");
  const taken = await refused(other.claimRoute(batch.id));
  assert.ok(taken.is("BATCH_UNAVAILABLE"));
  assert.equal(taken.details?.status, "claimed");
  assert.equal((await driver.start(batch.id)).status, "in_progress");
  assert.equal((await driver.renew(batch.id)).id, batch.id);
  assert.equal((await driver.release(batch.id)).status, "available");
  assert.ok((await refused(driver.complete(batch.id))).is("BATCH_NOT_HELD"));
});

test("a code, an order and its end", async () => {
  network.mend();
  const shop = shopOf(nextUser());
  const cart_id = crypto.randomUUID();
  const code = fixture.promo;
  const quote = await shop.promoValidate({ ...cart, code, cart_id });
  assert.deepEqual([quote.discount, quote.total], [70, 630]);
  assert.equal((await shop.releasePromo({ code, cart_id })).released, true);
  const order = await shop.checkout({
    ...cart,
    cart_id,
    promo_code: code,
    payment_method: "bank_transfer",
  });
  assert.deepEqual([order.status, order.total], ["pending_payment", 630]);
  const path = await refused(shop.submitPaymentProof(order.id, "elsewhere"));
  assert.ok(path.is("VALIDATION_FAILED"));
  assert.equal(path.details?.problems[0]?.pointer, "/p_object_path");
  assert.equal((await shop.cancelOrder(order.id)).status, "cancelled");
  const nobody = await refused(shop.cancelOrder(crypto.randomUUID()));
  assert.ok(nobody.is("ORDER_NOT_FOUND"));
  assert.deepEqual([nobody.status, nobody.retryable], [404, false]);
});

test("a refusal says all there is to say", async () => {
  network.mend();
  const line = { product_id: fixture.scarce, quantity: 4 };
  const error = await refused(
    shopOf(nextUser()).checkout({ cart_items: [line] }),
  );
  assert.ok(error.is("INSUFFICIENT_INVENTORY"));
  assert.deepEqual(error.details?.shortages, [
    { product_id: fixture.scarce, requested: 4, available: 3 },
  ]);
  assert.deepEqual([error.status, error.retryable], [409, false]);
  assert.ok(error.hint && error.requestId);
  assert.equal(error.requestId, network.calls[0]?.headers["x-request-id"]);
  assert.equal(network.calls.length, 1, "what is final is not sent again");
});

test("a lost answer is asked for again under the same key", async () => {
  network.mend();
  const user = nextUser();
  network.fault = () => network.calls.length === 0 ? "lose" : undefined;
  const order = await shopOf(user).checkout(cart);
  assert.equal(order.status, "confirmed");
  const keys = network.calls.map(({ key }) => key);
  assert.equal(keys.length, 2);
  assert.ok(keys[0] && keys[0] === keys[1]);
  assert.equal(await ordersOf(user), 1);
});

test("a lost answer of an order's RPC is asked for again", async () => {
  network.mend();
  const shop = shopOf(nextUser());
  const order = await shop.checkout(cart);
  network.mend();
  network.fault = () => network.calls.length === 0 ? "lose" : undefined;
  assert.equal((await shop.cancelOrder(order.id)).status, "cancelled");
  assert.equal(network.calls.length, 2);
});

test("a gateway's own failure is repeated, a refused token is not", async () => {
  network.mend();
  const user = nextUser();
  const headers = { "content-type": "text/html" };
  network.fault = () =>
    network.calls.length === 0
      ? { status: 502, headers, body: "<html>" }
      : undefined;
  assert.equal((await shopOf(user).checkout(cart)).status, "confirmed");
  assert.equal(network.calls.length, 2);
  const stranger = await refused(
    shopOf({ id: "", token: fixture.anonKey }).checkout(cart),
  );
  assert.ok(stranger.is("UNAUTHENTICATED"));
  const forged = user.token.slice(0, -4) + "AAAA";
  const refusal = await refused(
    shopOf({ id: "", token: forged }).cancelOrder(user.id),
  );
  assert.ok(refusal.is("UNAUTHENTICATED"), refusal.code);
});

test("a double click is one request and one order", async () => {
  network.mend();
  const user = nextUser();
  const shop = shopOf(user);
  const kept = store();
  const click = () =>
    shop.checkout(cart, { submission: submission("cart", kept) });
  const [first, second] = await Promise.all([click(), click()]);
  assert.deepEqual(first, second);
  assert.equal(network.calls.length, 1);
  assert.equal(await ordersOf(user), 1);
});

test("a reload in the middle of a submission finds its order", async () => {
  network.mend();
  const user = nextUser();
  const kept = store();
  network.fault = () => "lose";
  const impatient = shopOf(user, { budgetMs: 600 });
  const lost = await refused(
    impatient.checkout(cart, { submission: submission("cart", kept) }),
  );
  assert.ok(lost.is("NO_ANSWER") && lost.retryable);
  const keys = new Set(network.calls.map(({ key }) => key));

  network.mend();
  const again = submission("cart", kept);
  assert.deepEqual(await again.pending(), { checkout: cart });
  const order = await shopOf(user).checkout(cart, { submission: again });
  assert.equal(order.status, "confirmed");
  for (const { key } of network.calls) keys.add(key);
  assert.equal(keys.size, 1);
  assert.equal(await ordersOf(user), 1);
  assert.equal(kept.items.size, 0);
});

test("guessing at codes ends with the seconds to wait", async () => {
  network.mend();
  const shop = shopOf(nextUser());
  let error;
  do {
    error = await refused(
      shop.promoValidate({ code: "NO-SUCH-CODE", subtotal: 1 }),
    );
  } while (error.is("PROMO_NOT_FOUND"));
  assert.ok(error.is("TOO_MANY_ATTEMPTS"));
  assert.ok(error.retryAfter && error.retryAfter > 30);
});
