// A packing table whose database is as a test tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConcurrencyConflictError } from "../dist/index.js";
import { packing } from "../dist/packing.js";
import { clientOf, fixture } from "./fixture.js";

const [SESSION, ORDER, PRODUCT, LINE] = [1, 2, 3, 4].map((n) =>
  `5e550000-0000-4000-8000-00000000000${n}`
);

/**
 * A database with one line of five units, of which three are picked. `answer` may refuse or hold back a call.
 * @param {(name: string, body: any, key: string) => any} answer
 */
function table(answer = () => undefined) {
  const line = { packed: 0, version: 1, keys: new Set() };
  const packed = () => ({
    success: true,
    progress_id: LINE,
    order_id: ORDER,
    product_id: PRODUCT,
    quantity_packed: line.packed,
    quantity_needed: 5,
    quantity_short: 0,
    version: line.version,
    basket: {
      quantity_picked: 3,
      quantity_packed: line.packed,
      available: 3 - line.packed,
      version: line.version,
    },
  });
  /** @param {number} change */
  const move = (change) => {
    line.packed += change;
    line.version += 1;
    return packed();
  };
  /**
   * A scan, which counts once under its key.
   * @param {string} key
   * @param {string} action
   */
  const count = (key, action, quantity = 1) => {
    if (line.keys.has(key)) return packed();
    line.keys.add(key);
    /** @type {Record<string, number>} */
    const steps = { pack: 1, unpack: -1 };
    return move((steps[action] ?? 0) * quantity);
  };
  /** @type {string[]} */
  const calls = [];
  const supabase = {
    functions: {
      invoke: async (
        /** @type {string} */ name,
        /** @type {any} */ options,
      ) => {
        calls.push(name);
        const key = options.headers["Idempotency-Key"];
        const { action, quantity } = options.body;
        const refused = await answer(name, options.body, key);
        if (refused) {
          const { status, code } = refused;
          const body = code
            ? { code, message: code, details: null, hint: "", retryable: false }
            : {};
          const context = new Response(JSON.stringify(body), { status });
          return { data: null, error: { message: "refused", context } };
        }
        return { data: count(key, action, quantity), error: null };
      },
    },
    rpc: (/** @type {string} */ name, /** @type {any} */ body) => ({
      abortSignal: async () => {
        calls.push(name);
        const { p_idempotency_key: key, p_action, p_quantity } = body;
        const refused = await answer(name, body, key);
        if (refused) {
          const { status, code, details = null } = refused;
          const error = {
            code,
            message: refused.name ?? code,
            details,
            hint: "",
          };
          return { data: null, error, status };
        }
        if (name === "pack_item") {
          const data = count(key, p_action, p_quantity);
          return { data, error: null, status: 200 };
        }
        if (name === "update_packing_progress_atomic") {
          const { basket: _, quantity_short: __, ...data } = move(1);
          return { data, error: null, status: 200 };
        }
        if (name === "set_packed_quantity") {
          if (body.p_expected === line.packed) {
            const data = move(body.p_new - line.packed);
            return { data, error: null, status: 200 };
          }
          const { success: _, ...details } = packed();
          const error = {
            code: "PT409",
            message: "PACKING_CONFLICT",
            details: JSON.stringify(details),
            hint: "",
          };
          return { data: null, error, status: 409 };
        }
        const session = {
          id: SESSION,
          code: "P000001",
          status: "packing",
          items: [{
            product_id: PRODUCT,
            name: "mug",
            quantity_needed: 5,
            quantity_picked: 3,
            quantity_packed: line.packed,
            version: line.version,
          }],
          orders: [{ order_id: ORDER, lines: [packed()] }],
        };
        return { data: { success: true, session }, error: null, status: 200 };
      },
    }),
  };
  const shown = packing(/** @type {any} */ (supabase), SESSION ?? "", {
    budgetMs: 2_000,
  });
  return { shown, calls, move, count, line };
}

const scan = { orderId: ORDER ?? "", productId: PRODUCT ?? "" };

/** @param {import("../dist/packing.js").Packing} shown */
const numbers = (shown) => {
  const { lines: [line], items: [item] } = shown.view();
  return [line?.packed, item?.available];
};

test("scans are shown at once, add up, and are taken back one by one", async () => {
  /** @type {(() => void)[]} */
  const hold = [];
  const { shown } = table((name, body) => {
    if (name !== "pack") return undefined;
    const refused = body.quantity === 2
      ? { status: 409, code: "NO_UNITS_TO_PACK" }
      : undefined;
    return new Promise((resolve) => hold.push(() => resolve(refused)));
  });
  await shown.load();
  assert.deepEqual(numbers(shown), [0, 3]);
  const first = shown.pack(scan);
  const second = shown.pack({ ...scan, quantity: 2 });
  assert.deepEqual(numbers(shown), [3, 0]);
  await new Promise((resolve) => setImmediate(resolve));
  hold[1]?.();
  await assert.rejects(second, { code: "NO_UNITS_TO_PACK" });
  assert.deepEqual(numbers(shown), [1, 2]);
  hold[0]?.();
  assert.equal((await first).packed, 1);
  assert.deepEqual(numbers(shown), [1, 2]);
});

test("what is older than what is known is not shown", async () => {
  const { shown, move } = table();
  await shown.load();
  move(1);
  await shown.load();
  assert.deepEqual(numbers(shown), [1, 2]);
  await shown.pack(scan);
  assert.deepEqual(numbers(shown), [2, 1]);
});

test("a number is set again on what others have left, and then given up", async () => {
  const { shown, move } = table();
  await shown.load();
  move(1);
  assert.equal(
    (await shown.packTo({ progressId: LINE ?? "", quantity: 3 })).packed,
    3,
  );
  assert.deepEqual(shown.counts, { sets: 2, conflicts: 1 });
  const restless = table((name) => {
    if (name === "set_packed_quantity") restless.move(1);
  });
  await restless.shown.load();
  await assert.rejects(
    restless.shown.packTo({ progressId: LINE ?? "", quantity: 1 }),
    (error) => error instanceof ConcurrencyConflictError,
  );
  assert.deepEqual(restless.shown.counts, { sets: 3, conflicts: 3 });
});

/** What a project answers that does not have these; the function knows not what its missing RPC means. */
const without =
  (/** @type {string[]} */ ...names) => (/** @type {string} */ name) =>
    names.includes(name)
      ? { status: 404, code: name === "pack" ? undefined : "PGRST202" }
      : name === "pack" && names.includes("pack_item")
      ? { status: 500, code: "INTERNAL" }
      : undefined;

test("a project that has not deployed the function is asked by its RPC, under the same key", async () => {
  /** @type {any[]} */
  const bodies = [];
  const missing = without("pack");
  const { shown, calls } = table((name, body) => {
    bodies.push(body);
    return missing(name);
  });
  await shown.load();
  assert.equal((await shown.pack({ ...scan, quantity: 2 })).packed, 2);
  assert.equal((await shown.unpack(scan)).packed, 1);
  assert.deepEqual(calls.slice(1), ["pack", "pack_item", "pack", "pack_item"]);
  const { p_idempotency_key: key, ...fields } = bodies[2];
  assert.ok(key);
  assert.deepEqual(fields, {
    p_session_id: SESSION,
    p_order_id: ORDER,
    p_product_id: PRODUCT,
    p_quantity: 2,
    p_action: "pack",
  });
});

test("a scan that the function has counted and could not answer is not counted again", async () => {
  const { shown, count } = table((name, body, key) => {
    if (name !== "pack") return undefined;
    count(key, body.action);
    return { status: 500, code: "INTERNAL" };
  });
  await shown.load();
  assert.equal((await shown.pack(scan)).packed, 1);
});

test("a project that has not pushed the database is asked in the report's ways", async () => {
  for (const missing of [["pack", "pack_item"], ["pack_item"]]) {
    const first = table(without(...missing));
    await first.shown.load();
    assert.equal((await first.shown.pack(scan)).packed, 1);
    assert.deepEqual(first.calls.slice(1), [
      "pack",
      "pack_item",
      "update_packing_progress_atomic",
    ]);
    await assert.rejects(first.shown.short(scan), { status: 404 });

    const second = table(without(...missing, "update_packing_progress_atomic"));
    await second.shown.load();
    second.move(1);
    assert.equal((await second.shown.pack(scan)).packed, 2);
    assert.equal(second.line.packed, 2, "what another has packed is kept");
    assert.deepEqual(second.calls.slice(1), [
      "pack",
      "pack_item",
      "update_packing_progress_atomic",
      "set_packed_quantity",
      "set_packed_quantity",
    ]);
    assert.deepEqual(second.shown.counts, { sets: 2, conflicts: 1 });
  }
});

test("a session is packed and completed", async () => {
  const found = fixture.packings.pop();
  assert.ok(found);
  const { session, orders: [order], product: productId, lines: [progressId] } =
    found;
  assert.ok(order && progressId);
  const shown = packing(clientOf(fixture.packers[0]), session);
  const view = await shown.load();
  assert.equal(view.status, "packing");
  const mine = { orderId: order, productId };
  assert.equal((await shown.pack({ ...mine, quantity: 3 })).packed, 3);
  assert.equal((await shown.unpack(mine)).packed, 2);
  assert.equal((await shown.packTo({ progressId, quantity: 4 })).packed, 4);
  await assert.rejects(shown.complete({ orderId: order }), {
    code: "NOT_FULLY_PACKED",
  });
  assert.equal((await shown.short(mine)).short, 1);
  const done = await shown.complete({ orderId: order, tracking: "1Z" });
  assert.equal(done.tracking, "1Z");
  const again = await shown.complete({ orderId: order });
  assert.equal(again.shipment_id, done.shipment_id);
});
