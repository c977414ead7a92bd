// @ts-nocheck: its globals are those of a phone, which no library describes.
// An app's use of the client, bundled by Metro. It tells what came of it as one line of JSON.
import { seen, server } from "./globals.js";
import "./fetch.js";
import { createClient } from "@supabase/supabase-js";
import {
  Interlock,
  InterlockError,
  setRandomBytes,
  submission,
} from "@interlock/client";
import { createTill, memoryStore } from "@interlock/client/till";
import { packing } from "@interlock/client/packing";

const supabase = createClient("https://shop.test", "publishable", {
  accessToken: () => Promise.resolve("token"),
});
const shop = new Interlock(supabase);
const ok = (body) => ({ status: 200, body });
const refusal = (code, retryable = false) => ({
  status: 409,
  body: { error: code, code, message: "", details: null, hint: "", retryable },
});
const cart = { cart_items: [{ product_id: "a", quantity: 1 }] };
const keys = () => seen.map(({ headers }) => headers["idempotency-key"]);

/** AsyncStorage. */
const kept = new Map();
const storage = {
  getItem: (name) => Promise.resolve(kept.get(name) ?? null),
  setItem: (name, value) => Promise.resolve(void kept.set(name, value)),
  removeItem: (name) => Promise.resolve(void kept.delete(name)),
};

/** What a call throws: its code, or its name if it is not the client's. */
const thrown = (promise) =>
  promise.then(
    () => "nothing",
    (error) =>
      error instanceof InterlockError
        ? error.code
        : `${error.name}: ${error.message}`,
  );

const uses = {
  async bought() {
    server.answer = () => ok({ success: true, order: { id: "o" } });
    const order = await shop.checkout(cart);
    await shop.checkout(cart);
    const [one, other] = keys();
    return { order: order.id, key: one, differ: one !== other };
  },
  refused() {
    server.answer = () => refusal("DRIVER_BUSY");
    return thrown(shop.claimRoute());
  },
  refusedByTheDatabase() {
    server.answer = () => ({
      status: 409,
      body: {
        code: "PT409",
        message: "ORDER_NOT_CANCELLABLE",
        details: '{"status": "paid"}',
        hint: null,
      },
    });
    return thrown(shop.cancelOrder("o"));
  },
  async again() {
    let times = 0;
    server.answer = () =>
      (times += 1) === 1 ? undefined : ok({ order: { id: "o" } });
    const cart_ = submission("cart", storage);
    const order = await shop.checkout(cart, { submission: cart_ });
    const [one, other] = keys();
    return { order: order.id, times, same: one === other };
  },
  async unanswered() {
    server.answer = () => new Promise(() => {});
    return await thrown(shop.checkout(cart, { budgetMs: 20 }));
  },
  async left() {
    server.answer = () => new Promise(() => {});
    const leaving = new AbortController();
    const { signal } = leaving;
    const call = thrown(shop.checkout(cart, { signal }));
    setTimeout(() => leaving.abort(), 5);
    return [await call, await thrown(shop.checkout(cart, { signal }))];
  },
  async sold() {
    server.answer = ({ path }) =>
      path.endsWith("open_shift")
        ? ok({ shift: { id: "s" } })
        : ok({ sale: { id: "sale" } });
    const till = createTill(supabase, {
      registerId: "r",
      store: memoryStore(),
    });
    const shift = await till.openShift(100);
    const outcome = await till.sell({ lines: [], tenders: [] });
    till.close();
    return { shift, state: outcome.state };
  },
  async packed() {
    server.answer = () => refusal("NO_UNITS_TO_PACK");
    const table = packing(supabase, "session");
    return await thrown(table.pack({ orderId: "o", barcode: "4006381333931" }));
  },
  async injected() {
    server.answer = () => ok({ order: { id: "o" } });
    setRandomBytes((count) => new Uint8Array(count).fill(7));
    await shop.checkout(cart);
    setRandomBytes(undefined);
    return keys()[0];
  },
};

async function run() {
  const outcomes = {};
  for (const [name, use] of Object.entries(uses)) {
    seen.length = 0;
    try {
      outcomes[name] = await use();
    } catch (error) {
      outcomes[name] = String(error);
    }
  }
  globalThis.told(JSON.stringify(outcomes));
}

run();
