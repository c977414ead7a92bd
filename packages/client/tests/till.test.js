// A till whose network is as a test tells it; the server only counts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTill, memoryStore } from "../dist/till.js";

const REGISTER = "4e600000-0000-4000-8000-000000000001";
const mug = {
  lines: [{ barcode: "4006", quantity: 1, unit_price: 500 }],
  tenders: [{ type: /** @type {const} */ ("cash"), amount: 500 }],
};

/**
 * @typedef {{ name: string, key: string, body: any }} Call
 * @typedef {{ status: number, code?: string, details?: unknown } | "lost" | "cut" | undefined} Fault
 * What becomes of a call: refused, answered and the answer lost, not come at all; or answered.
 */

/** A server that sells once for each key. */
function server() {
  /** @type {Map<string, any>} */
  const sold = new Map();
  const network = {
    sold,
    /** @type {Call[]} */
    calls: [],
    /** @type {(call: Call) => Fault | Promise<Fault>} */
    fault: () => undefined,
  };
  /** @param {Call} call @returns {Promise<{ data: any, error: any }>} */
  const answer = async (call) => {
    network.calls.push(call);
    const fault = await network.fault(call);
    if (fault === "cut") return { data: null, error: { message: "cut" } };
    if (typeof fault === "object") {
      const { status, code, details = null } = fault;
      const body = code
        ? { code, message: code, details, hint: "", retryable: status >= 500 }
        : {};
      const context = new Response(JSON.stringify(body), { status });
      return { data: null, error: { message: "refused", context } };
    }
    if (!sold.has(call.key)) sold.set(call.key, { ...call.body, id: call.key });
    if (fault === "lost") return { data: null, error: { message: "lost" } };
    return {
      data: { success: true, sale: sold.get(call.key) },
      error: null,
    };
  };
  const supabase = {
    functions: {
      invoke: (/** @type {string} */ name, /** @type {any} */ options) =>
        answer({
          name,
          key: options.headers["Idempotency-Key"],
          body: options.body,
        }),
    },
    rpc: (/** @type {string} */ name, /** @type {any} */ body) => ({
      abortSignal: async () => {
        const { data, error } = await answer({
          name,
          key: body.p_shift_id,
          body,
        });
        if (!error) return { data, error, status: 200 };
        const status = error.context?.status ?? 0;
        const { code, details } = await error.context?.json() ?? {};
        const told = {
          code: `PT${status}`,
          message: code,
          details: JSON.stringify(details),
          hint: "",
        };
        return { data, error: told, status };
      },
    }),
  };
  return { network, supabase: /** @type {any} */ (supabase) };
}

/** A till in a tab of its own. */
function tab(
  /** @type {any} */ supabase,
  store = memoryStore(),
  more = {},
) {
  return createTill(supabase, {
    registerId: REGISTER,
    store,
    answerMs: 200,
    ...more,
  });
}

/**
 * What became of all, by state.
 * @param {import("../dist/till.js").Till} till
 */
async function states(till) {
  return (await till.pending()).map(({ state }) => state);
}

test("what comes while the till looks for the last time is sent as well", async () => {
  for (let turns = 0; turns < 20; turns += 1) {
    const { supabase } = server();
    const till = tab(supabase);
    for (let turn = 0; turn < turns; turn += 1) await null;
    await till.openShift(0);
    assert.deepEqual(await states(till), [], `after ${turns} turns`);
  }
});

test("what is answered at once is sold at today's price and kept nowhere", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  const till = tab(supabase, store);
  const outcome = await till.sell(mug);
  assert.equal(outcome.state, "sold");
  const { name, body } = network.calls[0] ?? assert.fail();
  assert.equal(name, "pos-sale");
  assert.deepEqual(body, {
    register_id: REGISTER,
    lines: [{ barcode: "4006", quantity: 1 }],
    tenders: mug.tenders,
  });
  assert.deepEqual(await store.all(), []);
  till.close();
});

test("what is refused while the customer is there is not sold", async () => {
  const { network, supabase } = server();
  const till = tab(supabase);
  network.fault = () => ({ status: 409, code: "INSUFFICIENT_INVENTORY" });
  await assert.rejects(till.sell(mug), { code: "INSUFFICIENT_INVENTORY" });
  assert.deepEqual(await till.pending(), []);
  till.close();
});

test("without an answer it is sold, and sent again until there is one", async () => {
  const { network, supabase } = server();
  /** @type {string[]} */
  const told = [];
  const till = tab(supabase, memoryStore(), {
    onSold: (/** @type {string} */ key) => told.push(key),
  });
  for (
    const fault of /** @type {const} */ (["lost", "cut", { status: 502 }])
  ) {
    network.calls = [];
    network.fault = ({ body }) => body.client_time ? undefined : fault;
    const { state, key } = await till.sell(mug);
    assert.equal(state, "waiting");
    await till.flush();
    assert.deepEqual(network.calls.map((call) => call.key), [key, key]);
    const { body } = network.calls[1] ?? assert.fail();
    assert.ok(Math.abs(Date.parse(body.client_time) - Date.now()) < 5_000);
    assert.deepEqual(body.lines, mug.lines);
    assert.equal(told.pop(), key);
    assert.deepEqual(await till.pending(), []);
  }
  assert.equal(network.sold.size, 3);
  till.close();
});

test("an answer that takes too long is none", async () => {
  const { network, supabase } = server();
  const till = tab(supabase, memoryStore(), { answerMs: 20 });
  network.fault = ({ body }) =>
    body.client_time ? undefined : new Promise(() => {});
  assert.equal((await till.sell(mug)).state, "waiting");
  await till.flush();
  assert.equal(network.sold.size, 1);
  till.close();
});

test("what waits is sent in order, and later ones wait behind it", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  const till = tab(supabase, store);
  network.fault = () => "cut";
  /** @type {string[]} */
  const keys = [];
  for (let n = 0; n < 4; n += 1) keys.push((await till.sell(mug)).key);
  await till.flush();
  assert.equal((await till.pending()).length, 4);
  network.fault = () => undefined;
  network.calls = [];
  // A page that is opened later sends by itself.
  const later = tab(supabase, store);
  await later.flush();
  assert.deepEqual(network.calls.map(({ key }) => key), keys);
  assert.deepEqual(await till.pending(), []);
  till.close();
  later.close();
});

test("what is refused for good is kept for somebody to look at, and stops no other", async () => {
  const { network, supabase } = server();
  const till = tab(supabase);
  network.fault = () => "cut";
  const { key } = await till.sell(mug);
  await till.sell(mug);
  const details = { barcodes: ["4006"] };
  network.fault = (call) =>
    call.key === key
      ? { status: 404, code: "BARCODE_NOT_FOUND", details }
      : undefined;
  await till.flush();
  const [failed, ...others] = await till.pending();
  assert.deepEqual(others, []);
  assert.deepEqual([failed?.state, failed?.error?.code], [
    "failed",
    "BARCODE_NOT_FOUND",
  ]);
  assert.deepEqual(failed?.error?.details, details);
  assert.equal((await till.sell(mug)).state, "sold", "nor a later one");
  await till.retry(key);
  assert.deepEqual(await states(till), ["failed"]);
  network.fault = () => undefined;
  await till.retry(key);
  assert.deepEqual(await till.pending(), []);
  assert.equal(network.sold.size, 3);

  network.fault = () => "cut";
  const gone = await till.sell(mug);
  await till.discard(gone.key);
  assert.equal((await till.pending()).length, 1, "what waits is not given up");
  network.fault = () => ({ status: 422, code: "UNDERPAID" });
  await till.flush();
  await till.discard(gone.key);
  assert.deepEqual(await till.pending(), []);
  till.close();
});

test("who is not signed in, and what is not the function, fail nothing", async () => {
  const { network, supabase } = server();
  const till = tab(supabase);
  network.fault = () => "cut";
  await till.sell(mug);
  for (
    const fault of [
      { status: 401, code: "UNAUTHENTICATED" },
      { status: 403, code: "FORBIDDEN" },
      { status: 404 },
      { status: 503, code: "UPSTREAM_UNAVAILABLE" },
    ]
  ) {
    network.fault = () => fault;
    await till.flush();
    assert.deepEqual(await states(till), ["waiting"], JSON.stringify(fault));
  }
  till.close();
});

test("what a page was sending when it was closed is sold", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  await store.change("left", () => ({
    key: "left",
    kind: "sale",
    register: REGISTER,
    request: mug,
    time: new Date().toISOString(),
    shift: null,
    state: "sending",
    until: Date.now() + 50,
  }));
  const till = tab(supabase, store);
  await till.flush();
  assert.deepEqual(await states(till), ["sending"], "its page may be there");
  await new Promise((resolve) => setTimeout(resolve, 150));
  await till.flush();
  assert.deepEqual(await till.pending(), []);
  assert.deepEqual(network.calls.map(({ key }) => key), ["left"]);
  till.close();
});

test("what another tab has taken for sold is not refused any more", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  const slow = tab(supabase, store, { answerMs: 1_000 });
  const other = tab(supabase, store);
  let refuse = () => {};
  network.fault = ({ body }) =>
    body.client_time ? "cut" : new Promise((resolve) => {
      refuse = () => resolve({ status: 409, code: "INSUFFICIENT_INVENTORY" });
    });
  const sale = slow.sell(mug);
  await new Promise((resolve) => setTimeout(resolve, 20));
  // Its time is over by the clock of the other.
  const { key } = (await store.all())[0] ?? assert.fail();
  await store.change(key, (kept) => kept && { ...kept, until: 0 });
  await other.flush();
  refuse();
  assert.equal((await sale).state, "waiting");
  network.fault = () => undefined;
  await other.flush();
  assert.equal(network.sold.size, 1);
  slow.close();
  other.close();
});

test("two tabs that replay one queue do no harm", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  const tabs = [tab(supabase, store), tab(supabase, store)];
  network.fault = () => "cut";
  for (let n = 0; n < 6; n += 1) await tabs[n % 2]?.sell(mug);
  await Promise.all(tabs.map((till) => till.flush()));
  network.fault = () => undefined;
  await Promise.all(tabs.map((till) => till.flush()));
  assert.equal(network.sold.size, 6);
  assert.deepEqual(await store.all(), []);
  for (const till of tabs) till.close();
});

test("a shift that is opened without a network comes before its sales", async () => {
  const { network, supabase } = server();
  const store = memoryStore();
  const till = tab(supabase, store);
  network.fault = () => "cut";
  const shift = await till.openShift(10_000);
  assert.match(
    shift,
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  await till.sell(mug);
  network.calls = [];
  network.fault = () => undefined;
  await till.flush();
  assert.deepEqual(network.calls.map(({ name }) => name), [
    "open_shift",
    "pos-sale",
  ]);
  const [opened, sold] = network.calls;
  assert.equal(opened?.body.p_opening_cash, 10_000);
  assert.equal(sold?.body.shift_id, shift);
  assert.ok(opened?.body.p_client_time <= sold?.body.client_time);
  const reloaded = tab(supabase, store);
  assert.equal(await reloaded.shift(), shift);
  await reloaded.sell(mug);
  assert.equal(network.calls.at(-1)?.body.shift_id, shift);
  await reloaded.useShift(null);
  assert.equal(await till.shift(), null);
  await till.useShift(REGISTER);
  assert.equal(await reloaded.shift(), REGISTER);
  till.close();
  reloaded.close();
});

test("where another shift is open, what was sold belongs to it", async () => {
  const { network, supabase } = server();
  const till = tab(supabase);
  network.fault = () => "cut";
  await till.openShift(0);
  await till.sell(mug);
  network.calls = [];
  const other = "5417f700-0000-4000-8000-000000000002";
  network.fault = ({ name }) =>
    name === "open_shift"
      ? {
        status: 409,
        code: "SHIFT_ALREADY_OPEN",
        details: { shift_id: other },
      }
      : undefined;
  await till.flush();
  assert.equal(network.calls.at(-1)?.body.shift_id, other);
  assert.equal(await till.shift(), other);
  // A shift that nobody knows is the one of its time.
  network.fault = ({ body }) =>
    !body.client_time
      ? "cut"
      : body.shift_id
      ? { status: 404, code: "SHIFT_NOT_FOUND" }
      : undefined;
  await till.sell(mug);
  await till.flush();
  assert.deepEqual(await till.pending(), []);
  till.close();
});

test("what found no shift is sent again when there is one", async () => {
  const { network, supabase } = server();
  const till = tab(supabase);
  network.fault = () => "cut";
  await till.sell(mug);
  network.fault = () => ({ status: 409, code: "SHIFT_NOT_OPEN" });
  await till.flush();
  assert.deepEqual(await states(till), ["failed"]);
  network.fault = () => undefined;
  await till.openShift(0);
  assert.deepEqual(await till.pending(), []);

  network.fault = () => ({ status: 404, code: "REGISTER_NOT_FOUND" });
  await assert.rejects(till.openShift(0), { code: "REGISTER_NOT_FOUND" });
  assert.deepEqual(await till.pending(), []);
  till.close();
});
