// One of many shops: what each call says of it, and where a screen listens, before a client that notes all that.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Interlock } from "../dist/index.js";
import { followBatches, followOrder, followStock } from "../dist/live.js";
import { packing } from "../dist/packing.js";
import { createTill, memoryStore } from "../dist/till.js";

/** A supabase-js client whose database and functions know nothing, and say so. */
function client() {
  /** What was called, and the shop that the call was about. @type {[string, string | null][]} */
  const calls = [];
  /** @type {string[]} */
  const topics = [];
  const answer = { data: [], error: null, status: 200 };
  const query = (/** @type {string} */ name) => {
    /** @type {string | null} */
    let shop = null;
    const self = {
      setHeader: (
        /** @type {string} */ header,
        /** @type {string} */ value,
      ) => {
        assert.equal(header, "x-shop");
        shop = value;
        return self;
      },
      select: () => self,
      eq: () => self,
      maybeSingle: () => self,
      abortSignal: () => self,
      then: (/** @type {(value: any) => unknown} */ tell) => {
        calls.push([name, shop]);
        return Promise.resolve(answer).then(tell);
      },
    };
    return self;
  };
  const channel = {
    on: () => channel,
    subscribe: () => channel,
  };
  const supabase = {
    rpc: query,
    from: query,
    functions: {
      invoke: (/** @type {string} */ name, /** @type {any} */ options) => {
        const { "x-shop": shop = null, "x-request-id": id } = options.headers;
        assert.ok(id, "no other header is lost");
        calls.push([name, shop]);
        return Promise.resolve({ data: {}, error: null });
      },
    },
    channel: (/** @type {string} */ topic) => {
      topics.push(topic);
      return channel;
    },
    removeChannel: () => Promise.resolve("ok"),
  };
  return { supabase: /** @type {any} */ (supabase), calls, topics };
}

/** Until what was begun has been called. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

/** @type {[{ shop?: number | string }, string | null][]} */
const SHOPS = [
  [{}, null],
  [{ shop: 1 }, "1"],
  [{ shop: 7 }, "7"],
  [{ shop: "berlin" }, "berlin"],
];

for (const [options, said] of SHOPS) {
  test(`every call of a client is about the shop ${said}`, async () => {
    const [primary, replica] = [client(), client()];
    const at = new Interlock(primary.supabase, {
      ...options,
      replica: { supabase: replica.supabase },
    });
    await at.checkout({ cart_items: [] });
    await at.inventory.get([]);
    await at.rpc("ship_order", { p_order_id: "o" });
    await at.cancelOrder("o");
    await at.database.adjustStock({ product_id: "p", delta: 1 });
    assert.deepEqual(
      primary.calls,
      ["checkout", "inventory", "ship_order", "cancel_order", "adjust_stock"]
        .map((name) => [name, said]),
    );
    assert.deepEqual(replica.calls, []);
    const reading = new Interlock(primary.supabase, {
      ...options,
      replica: { supabase: replica.supabase },
    });
    await reading.getStock(["p"]);
    assert.deepEqual(replica.calls, [["get_stock", said]]);
  });

  test(`so is every call of a till, shop ${said}`, async () => {
    const { supabase, calls } = client();
    const store = memoryStore();
    const till = createTill(supabase, { registerId: "r", store, ...options });
    await till.openShift(0);
    await till.sell({ lines: [] });
    till.close();
    assert.deepEqual(calls, [["open_shift", said], ["pos-sale", said]]);
  });
}

/** @type {[{ shop?: number | string }, ((topic: string) => string) | null][]} */
const HEARD = [
  [{}, (topic) => topic],
  [{ shop: 1 }, (topic) => topic],
  [{ shop: 7 }, (topic) => `${topic}@7`],
  [{ shop: "7" }, (topic) => `${topic}@7`],
  // It is not known what the topics of a shop are called of which only the handle is.
  [{ shop: "berlin" }, null],
];

for (const [options, named] of HEARD) {
  const { shop = null } = options;
  test(`what is followed is heard in its own shop: ${shop}`, async () => {
    const { supabase, calls, topics } = client();
    const show = () => {};
    const stops = [
      followOrder(supabase, "o", show, options),
      followBatches(supabase, show, options),
      followStock(supabase, "p", show, options),
      packing(supabase, "s", options).subscribe(show),
    ];
    await turn();
    for (const stop of stops) stop();
    const own = ["order:o", "batches", "stock:p", "packing:s"];
    assert.deepEqual(topics, named ? own.map(named) : []);
    const said = shop === null ? null : String(shop);
    assert.deepEqual(
      [...calls].sort(),
      ["batches", "get_picking_session", "get_stock", "orders"]
        .map((name) => [name, said]),
    );
    await turn();
  });
}

test("a scan is about the shop, too", async () => {
  const { supabase, calls } = client();
  const table = packing(supabase, "s", { shop: 7 });
  await assert.rejects(table.pack({ orderId: "o", productId: "p" }));
  assert.deepEqual(calls, [["pack", "7"]]);
});
