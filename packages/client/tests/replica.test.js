// Reads at a replica, before a primary and a replica that answer as a test tells them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Interlock, InterlockError } from "../dist/index.js";
import { Reads } from "../dist/replica.js";

/**
 * A server: how far its log is, and what it answers in place of a value.
 * @param {string} name
 */
function server(name) {
  return {
    name,
    timeline: 1,
    position: 100,
    /** @type {string[]} */
    calls: [],
    /** @type {any} */
    instead: undefined,
    /** @type {any} */
    functions: {
      invoke: () => Promise.resolve({ data: { order: {} }, error: null }),
    },
    rpc(/** @type {string} */ called) {
      this.calls.push(called);
      const { timeline, position, instead } = this;
      const data = called === "log_position" ? { timeline, position } : name;
      return {
        abortSignal: () =>
          Promise.resolve(instead ?? { data, error: null, status: 200 }),
      };
    },
  };
}

/** What was called since it was asked last. @param {ReturnType<typeof server>} at */
const called = (at) => at.calls.splice(0).join(" ");

function shop(more = {}) {
  const primary = server("primary"), replica = server("replica");
  const at = new Interlock(/** @type {any} */ (primary), {
    replica: { supabase: /** @type {any} */ (replica), ...more },
  });
  return { primary, replica, at };
}

const write = { p_product_id: "p", p_delta: 1 };
const refused = (/** @type {string} */ code, /** @type {number} */ status) => ({
  data: null,
  error: { code, message: "", details: null, hint: null },
  status,
});
const noAnswer = { data: null, error: { message: "fetch failed" }, status: 0 };

test("who has written nothing reads at the replica, and asks nobody how far it is", async () => {
  const { primary, replica, at } = shop();
  assert.equal(await at.rpc("list_orders", {}), "replica");
  assert.equal(await at.database.listOrders(), "replica");
  assert.equal(await at.getStock(["p"]), "replica");
  assert.equal(called(replica), "list_orders list_orders get_stock");
  assert.equal(called(primary), "");
});

test("without a replica all is the primary's", async () => {
  const primary = server("primary");
  const at = new Interlock(/** @type {any} */ (primary));
  await at.rpc("adjust_stock", write);
  assert.equal(await at.rpc("list_orders", {}), "primary");
  assert.equal(called(primary), "adjust_stock list_orders");
});

test("what only reads goes to the replica, all else to the primary", async () => {
  const { paths } = JSON.parse(
    await readFile(
      new URL("../../../docs/openapi-rpc.json", import.meta.url),
      "utf8",
    ),
  );
  for (const [path, { post }] of Object.entries(paths)) {
    const { primary, replica, at } = shop();
    const name = path.slice("/rpc/".length);
    const ofTheServer = ["log_position", "metrics"].includes(name);
    const reads = post["x-reads-only"] && !ofTheServer;
    await at.rpc(/** @type {any} */ (name), /** @type {any} */ ({}));
    const expected = reads ? ["", name] : [name, ""];
    assert.deepEqual([called(primary), called(replica)], expected);
  }
});

test("after a write the replica is read from once it has that, and the primary until then", async () => {
  const { primary, replica, at } = shop();
  await at.rpc("adjust_stock", write);
  primary.position = 107;
  assert.equal(called(primary), "adjust_stock");
  assert.equal(await at.rpc("list_orders", {}), "primary");
  assert.equal(called(primary), "log_position list_orders");
  assert.equal(called(replica), "log_position");
  // What others write does not matter.
  primary.position = 200;
  replica.position = 106;
  assert.equal(await at.rpc("list_orders", {}), "primary");
  assert.equal(called(primary), "list_orders");
  replica.position = 107;
  called(replica);
  assert.equal(await at.rpc("list_orders", {}), "replica");
  assert.equal(await at.rpc("list_orders", {}), "replica");
  assert.equal(called(replica), "log_position list_orders list_orders");
  assert.equal(called(primary), "");
});

test("every kind of write counts, also one that was refused or got no answer", async () => {
  /** @type {((at: Interlock, primary: ReturnType<typeof server>) => unknown)[]} */
  const writes = [
    (at) => at.checkout({ cart_items: [] }),
    (at) => at.cancelOrder("o"),
    (at) => at.inventory.adjust([]),
    (at) => at.rpc(/** @type {any} */ ("of_the_shop"), {}),
    (at) => at.wrote(),
    async (at, primary) => {
      primary.instead = noAnswer;
      await assert.rejects(Promise.resolve(at.rpc("adjust_stock", write)));
      primary.instead = undefined;
    },
  ];
  for (const written of writes) {
    const { primary, replica, at } = shop();
    replica.position = 99;
    await written(at, primary);
    assert.equal(await at.rpc("list_orders", {}), "primary");
  }
  const { replica, at } = shop();
  replica.position = 99;
  await at.inventory.get([]);
  assert.equal(await at.rpc("list_orders", {}), "replica");
});

test("a write in the meantime is waited for by what is read after it", async () => {
  const { primary, replica, at } = shop();
  at.wrote();
  primary.position = replica.position = 110;
  const reading = at.rpc("list_orders", {});
  at.wrote();
  assert.equal(await reading, "replica");
  primary.position = 120;
  assert.equal(await at.rpc("list_orders", {}), "primary");
});

test("after a takeover no position of the old server's is waited for", async () => {
  const { primary, replica, at } = shop();
  primary.position = 500;
  at.wrote();
  assert.equal(await at.rpc("list_orders", {}), "primary");
  // The promoted replica never had that; another replica follows it.
  primary.timeline = replica.timeline = 2;
  primary.position = replica.position = 300;
  assert.equal(await at.rpc("list_orders", {}), "replica");
});

test("what follows another server than the primary is not read from, however far it is", async () => {
  const { primary, replica, at } = shop();
  primary.timeline = 2;
  replica.position = 500;
  at.wrote();
  assert.equal(await at.rpc("list_orders", {}), "primary");
  // It is left alone then.
  assert.equal(called(replica), "log_position log_position");
  assert.equal(await at.rpc("list_orders", {}), "primary");
  assert.equal(called(replica), "");
});

test("what the replica refuses is asked of the primary", async () => {
  const { primary, replica, at } = shop();
  for (
    const answer of [refused("PT404", 404), refused("42501", 403)]
  ) {
    replica.instead = answer;
    assert.equal(await at.rpc("list_orders", {}), "primary");
    assert.equal(called(replica), "list_orders");
  }
  primary.instead = refused("42501", 403);
  await assert.rejects(
    at.rpc("list_orders", {}),
    (error) => error instanceof InterlockError && error.is("FORBIDDEN"),
  );
});

test("a caller who gives up is told so", async () => {
  const { primary, replica, at } = shop();
  const controller = new AbortController();
  const { signal } = controller;
  replica.instead = new Promise(() => {});
  const reading = at.rpc("list_orders", {}, { signal });
  controller.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
  assert.equal(called(primary), "");
  // It is not the replica's fault.
  replica.instead = undefined;
  assert.equal(await at.rpc("list_orders", {}), "replica");
});

/**
 * Reads by a clock that only goes on while somebody sleeps.
 * @param {any} more
 * @param {(now: number, replica: ReturnType<typeof server>) => void} [on]
 */
function timed(more, on = () => {}) {
  const primary = server("primary"), replica = server("replica");
  const clock = { now: 0 };
  const host = {
    now: () => clock.now,
    random: () => 1,
    sleep: (/** @type {number} */ milliseconds) => {
      clock.now += milliseconds;
      on(clock.now, replica);
      return Promise.resolve();
    },
    online: () => Promise.resolve(),
  };
  const reads = new Reads(
    /** @type {any} */ (primary),
    { supabase: /** @type {any} */ (replica), ...more },
    host,
  );
  /** @type {number[]} */
  const budgets = [];
  const read = () =>
    reads.rpc("list_orders", {}, { budgetMs: 30_000 }, ({ budgetMs }) => {
      budgets.push(budgetMs);
      return Promise.resolve("primary");
    });
  return { primary, replica, clock, reads, read, budgets };
}

test("a read waits for the replica if it may, and no longer than it may", async () => {
  const comes = timed({ waitMs: 1_000 }, (now, replica) => {
    if (now > 100) replica.position = 110;
  });
  comes.primary.position = 110;
  comes.reads.wrote();
  assert.equal(await comes.read(), "replica");
  assert.equal(called(comes.primary), "log_position");
  const never = timed({ waitMs: 1_000 });
  never.primary.position = 110;
  never.reads.wrote();
  assert.equal(await never.read(), "primary");
  assert.ok(never.clock.now > 0 && never.clock.now < 1_000);
  assert.deepEqual(never.budgets, [30_000 - never.clock.now]);
});

test("a replica that does not answer is left alone for a while", async () => {
  for (const answer of [noAnswer, refused("", 502), refused("PGRST202", 404)]) {
    const { replica, clock, read } = timed({});
    replica.instead = answer;
    assert.equal(await read(), "primary");
    assert.equal(await read(), "primary");
    assert.equal(called(replica), "list_orders");
    replica.instead = undefined;
    clock.now += 30_000;
    assert.equal(await read(), "replica");
  }
});

test("one that never answers costs its time, and no more", async () => {
  const { replica, read } = timed({ answerMs: 1 });
  replica.instead = new Promise(() => {});
  assert.equal(await read(), "primary");
  assert.equal(await read(), "primary");
  assert.equal(called(replica), "list_orders");
});

test("a call with little time leaves half of it to the primary", async () => {
  const { primary, replica, at } = shop();
  replica.instead = new Promise(() => {});
  const data = { data: "late", error: null, status: 200 };
  primary.instead = {
    then: (/** @type {any} */ resolve) => setTimeout(resolve, 20, data),
  };
  assert.equal(await at.rpc("list_orders", {}, { budgetMs: 1_000 }), "late");
});
