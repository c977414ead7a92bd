// What is broadcast, heard by the real supabase-js from the stack: who hears what, and what a connection that is cut costs.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, test } from "node:test";
import { Interlock } from "../dist/index.js";
import { followBatches, followOrder, followStock } from "../dist/live.js";
import { packing } from "../dist/packing.js";
import { clientOf as newClient, clientOfTheShop, fixture } from "./fixture.js";
import { badNetwork } from "./proxy.js";

/** @typedef {import("../dist/live.js").AvailableBatch} AvailableBatch */
/** @typedef {import("../dist/live.js").StockBadge} StockBadge */
/**
 * @template T
 * @typedef {(state: T) => void} Show
 */

/** A user whom no other test has. */
function nextUser() {
  const user = fixture.listeners.pop();
  if (!user) throw new Error("tests/client/mod.rs has made too few listeners");
  return user;
}

/** @type {ReturnType<typeof newClient>[]} */
const clients = [];
// supabase-js holds a connection for a while when nothing is listened to any more.
after(() => Promise.all(clients.map((client) => client.removeAllChannels())));

/** @param {Parameters<typeof newClient>} terms */
function clientOf(...terms) {
  const client = newClient(...terms);
  clients.push(client);
  return client;
}

/** Nothing is read a second time but because of a message or a join. */
const never = { pollMs: 3_600_000 };

/**
 * What is shown of something that is followed.
 * @template T
 * @param {(show: (state: T) => void) => () => void} follow
 */
function screen(follow) {
  /** @type {T[]} */
  const shown = [];
  /** @type {Set<() => void>} */
  const waiting = new Set();
  const stop = follow((state) => {
    shown.push(state);
    for (const look of waiting) look();
  });
  return {
    shown,
    stop,
    /**
     * When it shows that.
     * @param {(state: T) => boolean} isSo
     * @param {string} what
     */
    shows: (isSo, what) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(
            new Error(`${what}; it shows ${JSON.stringify(shown.slice(-3))}`),
          );
        }, 20_000);
        const look = () => {
          const last = shown.at(-1);
          if (last === undefined || !isSo(last)) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(last);
        };
        waiting.add(look);
        look();
      }),
  };
}

/**
 * Joins a topic as anybody does who has supabase-js alone.
 * @param {ReturnType<typeof clientOf>} client
 * @param {string} topic
 */
async function join(client, topic) {
  await client.realtime.setAuth();
  /** @type {any[]} */
  const heard = [];
  const joined = client.channel(topic, { config: { private: true } });
  const { shows } = screen((/** @type {(all: any[]) => void} */ show) => {
    joined.on("broadcast", { event: "*" }, (message) => {
      heard.push(message);
      show(heard);
    });
    return () => {};
  });
  /** @type {{ status: string, error?: Error | undefined }} */
  const first = await new Promise((resolve) =>
    joined.subscribe((status, error) => resolve({ status, error }))
  );
  const leave = () => client.removeChannel(joined);
  return { ...first, heard, hears: shows, leave };
}

/** @param {Record<string, unknown>} row */
async function newBatch(row = {}) {
  const { data, error } = await clientOfTheShop().from("batches").insert(row)
    .select("id").single();
  assert.ifError(error);
  return String(data?.id);
}

/**
 * A change that the shop makes.
 * @param {string} id
 * @param {Record<string, unknown>} change
 */
async function changeBatch(id, change) {
  const { error } = await clientOfTheShop().from("batches").update(change)
    .eq("id", id);
  assert.ifError(error);
}

/** @param {Record<string, unknown>} product */
async function newProduct(product) {
  const { data, error } = await clientOfTheShop().from("products").insert({
    name: "badge",
    price: 100,
    currency: "EUR",
    ...product,
  }).select("id").single();
  assert.ifError(error);
  return String(data?.id);
}

/**
 * @param {string} product
 * @param {number} delta
 */
async function adjust(product, delta) {
  const { error } = await clientOfTheShop().rpc("adjust_stock", {
    p_product_id: product,
    p_delta: delta,
    p_reason: "delivery",
  });
  assert.ifError(error);
}

test("an order is heard by its buyer, and by nobody else", async () => {
  const [buyer, other] = [nextUser(), nextUser()];
  const client = clientOf(buyer);
  const order = await new Interlock(client).checkout({
    cart_items: [{ product_id: fixture.product, quantity: 1 }],
    payment_method: "cash_on_delivery",
  });
  const topic = `order:${order.id}`;
  const [mine, theirs, strange, open] = await Promise.all([
    join(client, topic),
    join(clientOf(other), topic),
    join(client, "order:00000000-0000-4000-8000-000000000000"),
    join(client, "what:ever"),
  ]);
  assert.equal(mine.status, "SUBSCRIBED");
  for (const refused of [theirs, strange, open]) {
    assert.equal(refused.status, "CHANNEL_ERROR");
    assert.match(String(refused.error?.message), /do not have permissions/);
  }
  const page = screen((/** @type {Show<any>} */ show) =>
    followOrder(clientOf(buyer), order.id, show)
  );
  await page.shows((row) => row?.status === "confirmed", "the order is read");
  await new Interlock(client).cancelOrder(order.id);
  await page.shows((row) => row?.status === "cancelled", "its end is heard");
  await mine.hears((heard) => heard.length > 0, "its message is heard");
  assert.deepEqual(
    mine.heard.map(({ event, payload: { id: _, ...rest } }) => ({
      event,
      ...rest,
    })),
    [{
      event: "order.changed",
      order_id: order.id,
      status: "cancelled",
      fulfillment: "unfulfilled",
    }],
  );
  assert.deepEqual([...theirs.heard, ...strange.heard, ...open.heard], []);
  page.stop();
  await Promise.all([mine, theirs, strange, open].map((one) => one.leave()));
});

test("two drivers' phones show a batch until one of them has claimed it", async () => {
  const [ann, bob] = fixture.listeningDrivers;
  assert.ok(ann && bob);
  const phones = [ann, bob].map((driver) =>
    screen((/** @type {Show<AvailableBatch[]>} */ show) =>
      followBatches(clientOf(driver), show, never)
    )
  );
  for (const phone of phones) await phone.shows(() => true, "a phone is read");
  const batch = await newBatch({ priority: 7, reference: "live" });
  /** @param {{ id: string }[]} batches */
  const has = (batches) => batches.some(({ id }) => id === batch);
  for (const phone of phones) await phone.shows(has, "a new batch is shown");
  const shop = new Interlock(clientOf(ann));
  await shop.claimRoute(batch);
  for (const phone of phones) {
    await phone.shows((batches) => !has(batches), "a claimed batch is gone");
  }
  await shop.release(batch);
  for (const phone of phones) await phone.shows(has, "it is there again");
  await changeBatch(batch, { status: "cancelled" });
  for (const phone of phones) {
    await phone.shows((batches) => !has(batches), "a cancelled batch is gone");
    phone.stop();
  }
  const buyer = await join(clientOf(nextUser()), "batches");
  assert.equal(buyer.status, "CHANNEL_ERROR");
  await buyer.leave();
});

test("two packers see what the other does", async () => {
  // packing.test.js has the last one, shop.test.js the first.
  const found = fixture.packings[1];
  assert.ok(found);
  const { session, orders: [orderId], product: productId } = found;
  assert.ok(orderId);
  const tables = fixture.packers.map((packer) =>
    packing(clientOf(packer), session, never)
  );
  const screens = tables.map((table) =>
    screen((
      /** @type {(view: ReturnType<typeof table.view>) => void} */ show,
    ) => table.subscribe(show))
  );
  /** @param {number} packed */
  const shows = (packed) => (/** @type {any} */ { lines, items }) =>
    lines.find((/** @type {any} */ line) => line.orderId === orderId)
        ?.packed === packed &&
    items[0]?.available === items[0]?.picked - packed;
  for (const shown of screens) await shown.shows(shows(0), "a table is read");
  await tables[0]?.pack({ orderId, productId });
  for (const shown of screens) await shown.shows(shows(1), "one unit is in");
  await tables[1]?.pack({ orderId, productId, quantity: 2 });
  for (const shown of screens) await shown.shows(shows(3), "three are");
  await tables[0]?.unpack({ orderId, productId });
  for (const shown of screens) {
    await shown.shows(shows(2), "two are");
    shown.stop();
  }
});

test("a badge is told of each step of a stock, to anybody", async () => {
  const product = await newProduct({ available_quantity: 7 });
  const hidden = await newProduct({ available_quantity: 7, active: false });
  const client = clientOf(nextUser());
  const badges = [
    screen((/** @type {Show<StockBadge>} */ show) =>
      followStock(client, product, show, never)
    ),
    // Another place of the same page.
    screen((/** @type {Show<StockBadge>} */ show) =>
      followStock(client, product, show, never)
    ),
  ];
  const states = () => badges.map(({ shown }) => shown.map((b) => b.state));
  for (const badge of badges) {
    await badge.shows(({ state }) => state === "in_stock", "it is there");
  }
  const refused = await join(client, `stock:${hidden}`);
  assert.equal(refused.status, "CHANNEL_ERROR");
  await refused.leave();
  const buyer = new Interlock(clientOf(nextUser()));
  const cart_items = [{ product_id: product, quantity: 3 }];
  await buyer.checkout({ cart_items });
  for (const badge of badges) {
    await badge.shows(({ state }) => state === "low", "it is low");
  }
  badges[1]?.stop();
  await adjust(product, -4);
  await badges[0]?.shows(({ state }) => state === "sold_out", "it is sold out");
  await adjust(product, 1);
  await badges[0]?.shows(({ state }) => state === "low", "it is back");
  await adjust(product, 9);
  await badges[0]?.shows(
    ({ state }) => state === "in_stock",
    "there is plenty",
  );
  assert.deepEqual(states(), [
    ["in_stock", "low", "sold_out", "low", "in_stock"],
    ["in_stock", "low"],
  ]);
  badges[0]?.stop();
});

test("who was cut off reads what there is, and misses nothing", async () => {
  const [driver] = fixture.listeningDrivers;
  assert.ok(driver);
  const network = await badNetwork(fixture.apiUrl);
  const client = clientOf(driver, network.url);
  const phone = screen((/** @type {Show<AvailableBatch[]>} */ show) =>
    followBatches(client, show, never)
  );
  const batch = await newBatch({ reference: "cut" });
  const own = () =>
    phone.shown.map((batches) => batches.find(({ id }) => id === batch))
      .flatMap((row) => row?.priority ?? []);
  /** @param {number} priority */
  const shows = (priority) =>
    phone.shows(
      (batches) =>
        batches.some((row) => row.id === batch && row.priority === priority),
      `priority ${priority} is shown`,
    );
  await shows(0);
  for (const round of [1, 2, 3]) {
    network.cut();
    // Of this nothing is heard: it takes a second to come back.
    await changeBatch(batch, { priority: round * 10 });
    // This comes whenever it comes.
    await changeBatch(batch, { priority: round * 10 + 1 });
    await shows(round * 10 + 1);
    await changeBatch(batch, { priority: round * 10 + 2 });
    await shows(round * 10 + 2);
  }
  // Nothing that came late was shown in place of something newer.
  assert.deepEqual(own(), [...own()].sort((one, other) => one - other));
  await changeBatch(batch, { status: "cancelled" });
  await phone.shows(
    (batches) => batches.every(({ id }) => id !== batch),
    "it is gone",
  );
  phone.stop();
  await client.removeAllChannels();
  await network.close();
});

test("many changes at once are all heard, and the last one stays", async () => {
  const [ann, bob] = fixture.listeningDrivers;
  assert.ok(ann && bob);
  const raw = await join(clientOf(ann), "batches");
  assert.equal(raw.status, "SUBSCRIBED");
  const phone = screen((/** @type {Show<AvailableBatch[]>} */ show) =>
    followBatches(clientOf(bob), show, never)
  );
  const batches = await Promise.all(
    Array.from({ length: 8 }, () => newBatch({ reference: "many" })),
  );
  await Promise.all(batches.map(async (batch) => {
    for (let priority = 1; priority <= 10; priority += 1) {
      await changeBatch(batch, { priority });
    }
  }));
  for (const batch of batches) {
    await phone.shows(
      (rows) =>
        rows.some(({ id, priority }) => id === batch && priority === 10),
      "the last change is shown",
    );
  }
  await Promise.all(
    batches.map((batch) => changeBatch(batch, { status: "cancelled" })),
  );
  await phone.shows(
    (rows) => rows.every(({ id }) => !batches.includes(id)),
    "all are gone",
  );
  await raw.hears(
    (heard) =>
      heard.filter(({ payload: { batch_id, status } }) =>
        batches.includes(batch_id) && status === "cancelled"
      ).length === batches.length,
    "of each end is heard",
  );
  for (const batch of batches) {
    const versions = raw.heard.map(({ payload }) => payload)
      .filter(({ batch_id }) => batch_id === batch)
      .map(({ version }) => version);
    // Made, changed ten times, cancelled.
    assert.deepEqual(versions, Array.from({ length: 12 }, (_, n) => n + 1));
  }
  phone.stop();
  await raw.leave();
});

test("a channel ends with its token", async () => {
  const [driver] = fixture.listeningDrivers;
  assert.ok(driver);
  const encode = (/** @type {unknown} */ part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${
    encode({
      sub: driver.id,
      role: "authenticated",
      exp: Math.floor(Date.now() / 1000) + 4,
    })
  }`;
  const signature = createHmac("sha256", fixture.jwtSecret).update(signed)
    .digest("base64url");
  const client = clientOf({ ...driver, token: `${signed}.${signature}` });
  await client.realtime.setAuth();
  /** @type {string[]} */
  const statuses = [];
  await new Promise((resolve) =>
    client.channel("batches", { config: { private: true } })
      .on("system", {}, ({ message }) => statuses.push(message))
      .subscribe((status) => {
        statuses.push(status);
        if (status === "CLOSED") resolve(undefined);
      })
  );
  assert.deepEqual(statuses, ["SUBSCRIBED", "Token has expired", "CLOSED"]);
});

test("nobody but the database sends", async () => {
  const [ann, bob] = fixture.listeningDrivers;
  assert.ok(ann && bob);
  const client = clientOf(ann);
  const [mine, theirs] = [
    await join(client, "batches"),
    await join(clientOf(bob), "batches"),
  ];
  const [channel] = client.getChannels();
  await channel?.send({ type: "broadcast", event: "made up", payload: {} });
  // On one connection what comes first is dealt with first.
  await mine.leave();
  const batch = await newBatch({ status: "cancelled" });
  await theirs.hears(
    (heard) => heard.some(({ payload }) => payload.batch_id === batch),
    "the shop's is heard",
  );
  assert.ok(theirs.heard.every(({ event }) => event === "batch.changed"));
  await theirs.leave();
});
