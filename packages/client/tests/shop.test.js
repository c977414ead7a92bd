// The client against a running stack, over a network that is not always good.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  ConcurrencyConflictError,
  Interlock,
  InterlockError,
  line,
  submission,
} from "../dist/index.js";
import {
  clientOf,
  clientOfTheShop,
  fixture,
  nextUser,
  ordersOf,
} from "./fixture.js";
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
  // What the database tells of an error stands where a function's answer has it.
  assert.match(nobody.message, /: There is no such order\.$/);
  assert.deepEqual(Object.keys(nobody.details ?? {}), ["order_id"]);
});

test("only an order by card is paid by card", async () => {
  network.mend();
  const shop = shopOf(nextUser());
  const order = await shop.checkout(cart);
  const error = await refused(shop.paymentIntent(order.id));
  assert.ok(error.is("ORDER_STATE_CONFLICT"));
  assert.equal(error.details?.order_id, order.id);
  const nobodys = shop.paymentIntent(crypto.randomUUID());
  assert.ok((await refused(nobodys)).is("ORDER_NOT_FOUND"));
});

test("tables are read and written with supabase-js as ever", async () => {
  network.mend();
  const user = nextUser();
  const order = await shopOf(user).checkout(cart);
  const whole = "*, order_items(*), order_events(*)";
  for (const reader of [clientOf(user), clientOfTheShop()]) {
    const read = await reader.from("orders").select(whole).eq("id", order.id);
    assert.equal(read.error, null);
    const [row] = read.data ?? [];
    assert.equal(row.total, order.total);
    assert.deepEqual(
      [row.order_items[0].product_id, row.order_items[0].quantity],
      [fixture.product, 1],
    );
    assert.deepEqual(
      row.order_events.map((/** @type {{ event: string }} */ e) => e.event),
      ["confirmed"],
    );
    const lines = await reader.from("order_items").select(
      "quantity, orders(id)",
    )
      .eq("order_id", order.id);
    assert.equal(lines.error, null);
    assert.deepEqual(lines.data, [{ quantity: 1, orders: { id: order.id } }]);
  }

  const shop = clientOfTheShop();
  const id = crypto.randomUUID();
  const row = { id, name: "test:view", price: 100, currency: "EUR" };
  const added = await shop.from("products").insert(row).select().single();
  assert.equal(added.error, null);
  assert.equal(added.data?.available_quantity, 0);
  const more = { ...row, price: 200 };
  // A view has no primary key of its own that every API server would find.
  const upserted = await shop.from("products")
    .upsert(more, { onConflict: "id" }).select("price");
  assert.deepEqual([upserted.error, upserted.data], [null, [{ price: 200 }]]);
  // Not over what is sold meanwhile.
  const overwritten = await shop.from("products")
    .update({ available_quantity: 5 }).eq("id", id);
  assert.equal(overwritten.error?.message, "STOCK_NOT_RELATIVE");
  assert.match(overwritten.error?.hint ?? "", /adjust_stock\(/);
  const changed = await shop.from("products").update({ active: false })
    .eq("id", id).select("active");
  assert.deepEqual([changed.error, changed.data], [null, [{ active: false }]]);
  const bad = await shop.from("products").insert({
    ...row,
    id: undefined,
    price: -1,
  });
  assert.equal(bad.error?.code, "23514");
  const moved = await shop.from("stock_movements").select("delta, reason")
    .eq("product_id", id);
  assert.deepEqual(moved.data, []);
  const gone = await shop.from("products").delete().eq("id", id);
  assert.equal(gone.error, null);
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
  assert.equal(await again.pending(), null);
});

test("a lost answer, and the same cart with its lines in another order", async () => {
  network.mend();
  const user = nextUser();
  const kept = store();
  const [one, two] = [fixture.product, fixture.second];
  const lines = [
    { product_id: one, quantity: 1 },
    { product_id: two, quantity: 2 },
  ];
  network.fault = () => "lose";
  const lost = await refused(
    shopOf(user, { budgetMs: 600 }).checkout({ cart_items: lines }, {
      submission: submission("cart", kept),
    }),
  );
  assert.ok(lost.is("NO_ANSWER"));
  network.mend();
  const again = [
    { product_id: two.toUpperCase(), quantity: 1 },
    { product_id: one, quantity: 1 },
    { product_id: two, quantity: 1, expected_unit_price: 1 },
  ];
  // Reserved anew meanwhile, it is the same cart still.
  const reserved = { cart_items: again, reservation_id: crypto.randomUUID() };
  const order = await shopOf(user).checkout(reserved, {
    submission: submission("cart", kept),
  });
  assert.equal(order.total, 2100);
  assert.equal(await ordersOf(user), 1);
});

test("a cart with a name is ordered once, whatever is done", async () => {
  network.mend();
  const user = nextUser();
  const shop = shopOf(user);
  const named = { ...cart, cart_id: crypto.randomUUID() };
  const order = await shop.checkout(named);
  const other = { cart_items: [...cart.cart_items, ...cart.cart_items] };
  for (const again of [named, { ...named, ...other }]) {
    const error = await refused(shop.checkout(again));
    assert.ok(error.is("CART_ALREADY_ORDERED"));
    assert.deepEqual(error.details, {
      order_id: order.id,
      status: "confirmed",
    });
  }
  await shop.cancelOrder(order.id);
  assert.notEqual((await shop.checkout(named)).id, order.id);
});

test("a price that was not shown is not charged", async () => {
  network.mend();
  const user = nextUser();
  const shop = shopOf(user);
  const owner = clientOfTheShop();
  const id = crypto.randomUUID();
  const row = { id, name: "test:dear", price: 1299, currency: "USD" };
  const stocked = { ...row, available_quantity: 50 };
  assert.equal((await owner.from("products").insert(stocked)).error, null);
  const rise = async (/** @type {number} */ price) => {
    const { error } = await owner.from("products").update({ price }).eq(
      "id",
      id,
    );
    assert.equal(error, null);
  };

  // The page shows a row, and sends what it shows.
  const read = await clientOf(user).from("products").select("id, price").eq(
    "id",
    id,
  ).single();
  const cart_items = [line(read.data ?? row, 2)];
  await rise(99900);
  const dear = await refused(shop.checkout({ cart_items }));
  assert.ok(dear.is("PRICE_CHANGED"));
  assert.equal(dear.details?.total, 199800);
  assert.equal(dear.details?.lines[0]?.expected_unit_price, 1299);

  // A total with a code is known from promoValidate, and sent by itself.
  await rise(1000);
  const cart_id = crypto.randomUUID();
  const priced = { cart_items: [line({ id, price: 1000 }, 2)], cart_id };
  const quote = await shop.promoValidate({
    ...priced,
    code: fixture.promo,
    dry_run: true,
  });
  assert.equal(quote.total, 1800);
  await rise(2000);
  const { cart_items: _, ...rest } = priced;
  const unpriced = {
    ...rest,
    cart_items: [{ product_id: id, quantity: 2 }],
    // Blanks around a code and the case of an id do not make another cart.
    promo_code: ` ${fixture.promo} `,
    cart_id: cart_id.toUpperCase(),
  };
  const risen = await refused(shop.checkout(unpriced));
  assert.ok(risen.is("PRICE_CHANGED"));
  assert.deepEqual([risen.details?.expected_total, risen.details?.total], [
    1800,
    3600,
  ]);
  assert.equal(await ordersOf(user), 0);
  // The buyer has been told, and agrees: what was told is what is expected now.
  const agreed = await shop.checkout(unpriced);
  assert.equal(agreed.total, 3600);
});

test("what a code leaves of the goods is not what an order with shipping is expected to cost", async () => {
  network.mend();
  const user = nextUser();
  const shop = shopOf(user);
  const owner = clientOfTheShop();
  const id = crypto.randomUUID();
  const row = { id, name: "test:sent", price: 1000, currency: "USD" };
  const stocked = { ...row, available_quantity: 5 };
  assert.equal((await owner.from("products").insert(stocked)).error, null);
  const way = { code: `parcel-${id.slice(0, 8)}`, name: "Parcel", price: 490 };
  const ways = owner.from("shipping_methods");
  assert.equal(
    (await ways.insert({ ...way, currency: "USD" })).error,
    null,
  );
  const cart = { cart_items: [line(row, 1)], cart_id: crypto.randomUUID() };
  const quote = await shop.promoValidate({ ...cart, code: fixture.promo });
  assert.equal(quote.total, 900);
  const order = await shop.checkout({
    ...cart,
    promo_code: fixture.promo,
    shipping_method: way.code,
  });
  assert.equal(order.total, 1390);
  await ways.delete().eq("code", way.code);
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

test("a stock that two of the staff change", async () => {
  network.mend();
  const { inventory } = shopOf(fixture.staff);
  const inventory_id = fixture.stock.pop();
  assert.ok(inventory_id);
  const [row] = await inventory.get([{ inventory_id }]);
  assert.ok(row);
  assert.equal(row.quantity, 11.52);
  const sold = await inventory.adjust([{ inventory_id, delta: -1.02 }], {
    reason: "sold at the till",
  });
  assert.equal(sold.lines[0]?.new_quantity, 10.5);

  const expected = {
    expected_version: row.version,
    expected_quantity: row.quantity,
  };
  const set = [{ inventory_id, quantity: 6.52, ...expected }];
  const conflict = await refused(inventory.set(set));
  assert.ok(conflict instanceof ConcurrencyConflictError);
  assert.equal(conflict.name, "ConcurrencyConflictError");
  assert.ok(conflict.is("VERSION_CONFLICT") && conflict.status === 409);
  assert.deepEqual(conflict.conflicts, [{
    line: 0,
    inventory_id,
    product_id: row.product_id,
    location_id: row.location_id,
    expected: { version: row.version, quantity: 11.52 },
    present: { version: sold.lines[0]?.version, quantity: 10.5 },
  }]);
  const rebased = await inventory.set(set, { rebase: true });
  assert.deepEqual(
    [rebased.lines[0]?.old_quantity, rebased.lines[0]?.new_quantity],
    [10.5, 5.5],
  );
  const began_at = new Date(Date.now() - 1_000).toISOString();
  const received = await inventory.receive([{ inventory_id, quantity: 0.5 }]);
  assert.equal(received.lines[0]?.new_quantity, 6);
  const counted = await inventory.count([{ inventory_id, counted: 6 }], {
    began_at,
  });
  assert.equal(counted.action, "count");

  const short = await refused(
    inventory.adjust([{ inventory_id, delta: -100 }]),
  );
  assert.ok(!(short instanceof ConcurrencyConflictError));
  assert.ok(short.is("INSUFFICIENT_INVENTORY"));
  assert.equal(short.details?.shortages[0]?.requested, 100);
  const buyer = shopOf(nextUser()).inventory;
  assert.ok(
    (await refused(buyer.get([{ inventory_id }]))).is("FORBIDDEN"),
  );
});

test("an answer that is lost changes the stock once", async () => {
  const { inventory } = shopOf(fixture.staff);
  const inventory_id = fixture.stock.pop();
  assert.ok(inventory_id);
  network.mend();
  network.fault = () => network.calls.length === 0 ? "lose" : undefined;
  const sold = await inventory.adjust([{ inventory_id, delta: -5 }]);
  assert.equal(sold.lines[0]?.new_quantity, 6.52);
  const [row] = await inventory.get([{ inventory_id }]);
  assert.equal(row?.quantity, 6.52);
});

test("goods on their way", async () => {
  network.mend();
  const { inventory } = shopOf(fixture.staff);
  const [inventory_id, other] = fixture.way;
  const [from, to] = await inventory.get([
    { inventory_id },
    { inventory_id: other },
  ]);
  assert.ok(from && to);
  const { product_id } = from;
  const line = {
    product_id,
    from_location_id: from.location_id,
    to_location_id: to.location_id,
    quantity: 4.5,
  };
  const moved = await inventory.transfer([line]);
  assert.equal(moved.lines.length, 2);
  const { transfer_id } = await inventory.transfer([line], {
    in_transit: true,
  });
  assert.ok(transfer_id);
  const some = await inventory.receive([{ product_id, quantity: 2 }], {
    transfer_id,
  });
  assert.equal(some.lines[0]?.new_quantity, 6.5);
  const more = await refused(
    inventory.receive([{ product_id, quantity: 3 }], { transfer_id }),
  );
  assert.ok(more.is("TRANSFER_EXCEEDED"));
  await inventory.lose([{ product_id, quantity: 0.5 }], { transfer_id });
  const back = await inventory.cancel({ transfer_id });
  assert.equal(back.lines[0]?.new_quantity, 4.52);
});

test("a scan whose answer is lost counts once, and completing an order sends it once", async () => {
  const [packing] = fixture.packings;
  assert.ok(packing);
  const { session: session_id, orders: [order_id = ""], product: product_id } =
    packing;
  const table = shopOf(fixture.packers[0]);
  const order = { session_id, order_id };
  network.mend();
  network.fault = () => network.calls.length === 0 ? "lose" : undefined;
  const scan = { ...order, product_id, quantity: 4 };
  const packed = await table.pack(scan);
  assert.deepEqual([packed.quantity_packed, packed.basket.available], [4, 2]);
  const open = await refused(table.pack({ ...order, action: "complete" }));
  assert.ok(open.is("NOT_FULLY_PACKED"));
  await table.pack({ ...order, product_id });
  const over = await refused(table.pack({ ...order, product_id }));
  assert.ok(over.is("ALREADY_FULLY_PACKED"));
  const sent = await table.pack({
    ...order,
    action: "complete",
    tracking: "1Z",
  });
  assert.equal(sent.tracking, "1Z");
  const again = await table.pack({ ...order, action: "complete" });
  assert.equal(again.shipment_id, sent.shipment_id);
});

test("several rows are written at once", async () => {
  const names = ["one of two", "two of two"];
  const { data, error } = await clientOfTheShop().from("products")
    .insert(names.map((name) => ({ name, price: 100, currency: "EUR" })))
    .select("name, price");
  assert.ifError(error);
  assert.deepEqual(data, names.map((name) => ({ name, price: 100 })));
});
