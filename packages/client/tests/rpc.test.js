// Database functions, before a database that answers as a test tells it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Interlock, InterlockError } from "../dist/index.js";

/**
 * A shop whose database gives these answers, the last one again and again.
 * @param {any[]} answers
 */
function shop(...answers) {
  /** @type {any[]} */
  const calls = [];
  const supabase = {
    functions: {},
    rpc: (/** @type {string} */ name, /** @type {any} */ parameters) => ({
      abortSignal: () => {
        calls.push([name, parameters]);
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        return Promise.resolve(answer);
      },
    }),
  };
  return { calls, shop: new Interlock(/** @type {any} */ (supabase)) };
}

const data = { data: { success: true }, error: null, status: 200 };
const lost = { data: null, error: { message: "fetch failed" }, status: 0 };
/** @param {string} code @param {number} status */
const refused = (code, status, more = {}) => ({
  data: null,
  error: { code, message: "", details: null, hint: null, ...more },
  status,
});

test("a database function is called by its name, with its parameters", async () => {
  const { calls, shop: at } = shop(data);
  const answer = await at.rpc("ship_order", { p_order_id: "o" });
  assert.deepEqual(answer, { success: true });
  assert.deepEqual(calls, [["ship_order", { p_order_id: "o" }]]);
});

test("what it refuses is the same error as a function's", async () => {
  const { shop: at } = shop(refused("PT409", 409, {
    message: "ORDER_NOT_CANCELLABLE",
    details: '{"status": "paid", "message": "Not any more."}',
  }));
  await assert.rejects(
    at.rpc("cancel_order", { p_order_id: "o" }),
    (error) =>
      error instanceof InterlockError && error.is("ORDER_NOT_CANCELLABLE") &&
      error.status === 409 && error.details?.status === "paid",
  );
});

test("a database that only reads says so, and is not asked again", async () => {
  for (
    const answer of [
      refused("25006", 405, { message: "cannot execute INSERT in …" }),
      refused("0A000", 400, {
        message: "cannot set transaction read-write mode during recovery",
      }),
    ]
  ) {
    const { calls, shop: at } = shop(answer);
    await assert.rejects(
      at.rpc("adjust_stock", { p_product_id: "p", p_delta: 1 }),
      (error) =>
        error instanceof InterlockError && error.is("READ_ONLY") &&
        !error.retryable,
    );
    assert.equal(calls.length, 1);
  }
});

test("what the database has taken back is sent again", async () => {
  const { calls, shop: at } = shop(refused("40001", 409), data);
  await at.rpc("adjust_stock", { p_product_id: "p", p_delta: 1 });
  assert.equal(calls.length, 2);
});

test("what may have taken effect is not, unless that does no harm", async () => {
  for (const answer of [lost, refused("", 502)]) {
    const once = shop(answer, data);
    await assert.rejects(
      once.shop.rpc("adjust_stock", { p_product_id: "p", p_delta: 1 }),
      (error) => error instanceof InterlockError && !error.retryable,
    );
    assert.equal(once.calls.length, 1);
    const again = shop(answer, data);
    await again.shop.getStock(["p"]);
    assert.equal(again.calls.length, 2);
  }
});

test("every database function that apps may call is there", async () => {
  const read = (/** @type {string} */ path) =>
    readFile(new URL(path, import.meta.url), "utf8");
  const rights = await read("../../../docs/permissions.md");
  const types = await read("../src/rpcs.ts");
  const called = [
    ...rights.matchAll(/`public\.(\w+)\([^|]*\| its caller \|(.*)\|/g),
  ].flatMap(([, name, rights]) => rights?.includes("call") ? [name] : []);
  assert.ok(called.length > 60);
  const missing = called.filter((name) => !types.includes(`  "${name}": {`));
  assert.deepEqual(missing, []);
});

test("every database function is a method, called with its own parameters", async () => {
  const { paths } = JSON.parse(
    await readFile(
      new URL("../../../docs/openapi-rpc.json", import.meta.url),
      "utf8",
    ),
  );
  const { calls, shop: at } = shop(data);
  /** @type {Record<string, any>} */
  const database = at.database;
  for (const [path, { post }] of Object.entries(paths)) {
    const name = path.slice("/rpc/".length);
    const { example } = post.requestBody.content["application/json"];
    const own = Object.entries(example).map(([key, value]) => {
      assert.match(key, /^p_/);
      return [key.slice(2), value];
    });
    const method = name.replace(
      /_([a-z])/g,
      (_, letter) => letter.toUpperCase(),
    );
    await database[method](Object.fromEntries(own));
    assert.deepEqual(calls.pop(), [name, example]);
  }
  assert.equal(Object.keys(database).length, Object.keys(paths).length);
});

test("a method sends again what only reads or has a reference, and nothing else", async () => {
  const attempts = async (/** @type {(at: Interlock) => unknown} */ call) => {
    const { calls, shop: at } = shop(lost, data);
    try {
      await call(at);
    } catch (error) {
      assert.ok(error instanceof InterlockError);
      assert.deepEqual([error.code, error.retryable], ["NO_ANSWER", false]);
    }
    return calls.length;
  };
  const id = "p";
  assert.equal(
    await attempts(({ database }) => database.getStock({ product_ids: [id] })),
    2,
  );
  const delta = { product_id: id, delta: 1 };
  assert.equal(
    await attempts(({ database }) =>
      database.adjustStock({ ...delta, reference: "note 17" })
    ),
    2,
  );
  assert.equal(
    await attempts(({ database }) => database.adjustStock(delta)),
    1,
  );
});
