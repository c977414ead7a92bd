// supabase-js as an app uses it: every answer of a shop's day, good and bad, read the way its own
// documentation says (`error.context` is the response). tests/client/mod.rs prepares the rows and runs it.
import assert from "node:assert/strict";
import { createClient, FunctionsHttpError } from "@supabase/supabase-js";

const env = (name: string): string => {
  const value = Deno.env.get(name);
  if (!value) {
    throw new Error(`${name} is not set: tests/client/mod.rs sets it`);
  }
  return value;
};

const product = env("PRODUCT"); // 5 in stock, 700 each
const code = env("PROMO"); // 10 %
const client = (token: string) =>
  createClient(env("API_URL"), env("ANON_KEY"), {
    accessToken: () => Promise.resolve(token),
  });
const buyer = client(env("BUYER")); // 3000 in the wallet
const driver = client(env("DRIVER"));

type Invoked = { data: unknown; error: unknown };

async function refused({ data, error }: Invoked, status: number, code: string) {
  assert.equal(data, null, code);
  assert.ok(error instanceof FunctionsHttpError, code);
  assert.equal(error.context.status, status, code);
  const body = await error.context.json();
  assert.equal(body.error, code);
  return body;
}

// deno-lint-ignore no-explicit-any
function accepted({ data, error }: Invoked): any {
  assert.equal(error, null);
  return data;
}

const checkout = (body: unknown, key?: string) =>
  buyer.functions.invoke("checkout", {
    body: body as Record<string, unknown>,
    headers: key ? { "Idempotency-Key": key } : {},
  });
const lines = (quantity: number) => [{ product_id: product, quantity }];

// A driver claims the next batch, and has one.
const claimed = accepted(
  await driver.functions.invoke("claim-route", { body: {} }),
);
assert.equal(claimed.batch.status, "claimed");
const busy = await refused(
  await driver.functions.invoke("claim-route", { body: {} }),
  409,
  "DRIVER_BUSY",
);
assert.equal(busy.details.batch_id, claimed.batch.id);
await refused(
  await buyer.functions.invoke("claim-route", { body: {} }),
  403,
  "NOT_A_DRIVER",
);

// A code is shown and held for the cart, and checkout charges what was shown.
const cart_id = crypto.randomUUID();
const shown = accepted(
  await buyer.functions.invoke("promo-validate", {
    body: { code, cart_items: lines(2), cart_id },
  }),
);
assert.equal(shown.valid, true);
assert.equal(shown.discount, 140);
await refused(
  await buyer.functions.invoke("promo-validate", {
    body: { code: "NO-SUCH-CODE", subtotal: 1 },
  }),
  404,
  "PROMO_NOT_FOUND",
);
const cart = {
  cart_items: lines(2),
  cart_id,
  promo_code: code,
  payment_method: "wallet",
};
const bought = accepted(await checkout(cart, "submission-1"));
assert.equal(bought.order.status, "paid");
assert.equal(bought.order.total, 1260);

// The phone lost the answer and sends it again: the same order.
assert.deepEqual(accepted(await checkout(cart, "submission-1")), bought);
await refused(
  await checkout({ cart_items: lines(1) }, "submission-1"),
  422,
  "IDEMPOTENCY_KEY_REUSED",
);

// What is refused changes nothing.
const short = await refused(
  await checkout({ cart_items: lines(4) }),
  409,
  "INSUFFICIENT_INVENTORY",
);
assert.deepEqual(short.details.shortages, [{
  product_id: product,
  requested: 4,
  available: 3,
}]);
const poor = await refused(
  await checkout({ cart_items: lines(3), payment_method: "wallet" }),
  402,
  "INSUFFICIENT_FUNDS",
);
assert.deepEqual(poor.details, {
  balance: 1740,
  amount: 2100,
  currency: "USD",
});
await refused(
  await checkout({
    cart_items: [{ product_id: crypto.randomUUID(), quantity: 1 }],
  }),
  404,
  "PRODUCT_NOT_FOUND",
);
await refused(
  await checkout({ cart_items: lines(1), promo_code: "NO-SUCH-CODE" }),
  404,
  "PROMO_NOT_FOUND",
);
const invalid = await refused(
  await checkout({
    cart_items: [{ product_id: product, quantity: 0, price: 1 }],
  }),
  400,
  "VALIDATION_FAILED",
);
assert.deepEqual(
  invalid.details.problems.map(({ pointer }: { pointer: string }) => pointer),
  ["/cart_items/0/quantity", "/cart_items/0/price"],
);
await refused(
  await client(env("ANON_KEY")).functions.invoke("checkout", {
    body: { cart_items: lines(1) },
  }),
  401,
  "UNAUTHENTICATED",
);

// The buyer reads their own order, and only that; stock is what was not sold.
const { data: orders } = await buyer.from("orders").select(
  "id,total,order_items(quantity)",
);
assert.deepEqual(orders, [{
  id: bought.order.id,
  total: 1260,
  order_items: [{ quantity: 2 }],
}]);
const { data: others } = await driver.from("orders").select("id");
assert.deepEqual(others, []);
const { error: forbidden } = await buyer.from("products").update({ price: 1 })
  .eq("id", product);
assert.ok(forbidden, "a buyer cannot write products");
const { data: left } = await buyer.from("products").select("available_quantity")
  .eq("id", product);
assert.deepEqual(left, [{ available_quantity: 3 }]);

// Guessing at promo codes is stopped, through whichever function: two were unknown so far.
for (let attempt = 3; attempt <= 20; attempt += 1) {
  const body = { code: `GUESS-${attempt}`, subtotal: 1 };
  await refused(
    await buyer.functions.invoke("promo-validate", { body }),
    404,
    "PROMO_NOT_FOUND",
  );
}
const stopped = await refused(
  await checkout({ cart_items: lines(1), promo_code: "GUESS-21" }),
  429,
  "TOO_MANY_ATTEMPTS",
);
assert.equal(stopped.retryable, true);
assert.ok(
  stopped.details.retry_after > 500 && stopped.details.retry_after <= 600,
);

// A guest buys without an account, and their order moves to the one that they sign in to. Who signs in is Supabase Auth's
// to say, which this stack has none of: its two answers are made here, everything else is as in an app.
const signedIn = (token: string, isAnonymous: boolean) => ({
  access_token: token,
  token_type: "bearer",
  expires_in: 3600,
  refresh_token: "none",
  user: {
    id: crypto.randomUUID(),
    aud: "authenticated",
    is_anonymous: isAnonymous,
  },
});
const app = createClient(env("API_URL"), env("ANON_KEY"), {
  auth: { persistSession: false, autoRefreshToken: false },
  global: {
    fetch: (input: RequestInfo | URL, init?: RequestInit) => {
      const url = String(input instanceof Request ? input.url : input);
      if (url.endsWith("/auth/v1/signup")) {
        return Promise.resolve(Response.json(signedIn(env("GUEST"), true)));
      }
      if (url.includes("/auth/v1/token?grant_type=password")) {
        return Promise.resolve(Response.json(signedIn(env("BUYER"), false)));
      }
      return fetch(input, init);
    },
  },
});
const guest = accepted(await app.auth.signInAnonymously());
assert.equal(guest.user.is_anonymous, true);
const asGuest = accepted(
  await app.functions.invoke("checkout", { body: { cart_items: lines(1) } }),
);
assert.equal(asGuest.order.status, "confirmed");
const { token } = accepted(await app.rpc("create_order_transfer"));
accepted(
  await app.auth.signInWithPassword({
    email: "buyer@example.com",
    password: "secret",
  }),
);
const moved = accepted(
  await app.rpc("redeem_order_transfer", { p_token: token }),
);
assert.equal(moved.orders, 1);
const { data: mine } = await app.from("orders").select("id").order("id");
assert.deepEqual(mine, [{ id: bought.order.id }, { id: asGuest.order.id }]);
const { error: again } = await app.rpc("create_order_transfer");
assert.equal(again?.message, "NOT_A_GUEST");
