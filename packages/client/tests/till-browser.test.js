// A till in a browser whose network is cut: each sale once, none lost, each in its shift.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browse } from "./browse.js";
import { clientOf, clientOfTheShop, fixture } from "./fixture.js";

const { network, visit, close } = await browse();
after(close);

/** @typedef {import("playwright-core").Page} Page */

const GONE = { status: 502, headers: {}, body: "<html>" };

/** A till that no other test has, in a browser of its own. */
async function aTill() {
  const till = fixture.tills.pop();
  if (!till) throw new Error("tests/client/mod.rs has made too few tills");
  const [ann, bob] = fixture.cashiers;
  const { context, page } = await visit(ann, "till", till);
  const open = async () => {
    const tab = await context.newPage();
    await tab.goto(page.url());
    await tab.waitForSelector("[data-ready]");
    return tab;
  };
  return { ...till, context, page, open, elsewhere: clientOf(bob) };
}

/**
 * What this register has sold, in the order of its receipts.
 * @param {string} register
 */
async function salesOf(register) {
  const { data, error } = await clientOfTheShop().from("sales").select(
    "id, shift_id, receipt_number, total, offline, late, sold_at, recorded_at",
  ).eq("register_id", register).order("receipt_number");
  if (error) throw error;
  return data;
}

/**
 * What waits in this tab, by state.
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
const states = (page) =>
  page.evaluate("till.pending().then((all) => all.map(({ state }) => state))");

/**
 * Waits until nothing does.
 * @param {Page} page
 */
async function allSent(page) {
  const end = Date.now() + 20_000;
  for (;;) {
    const left = await states(page);
    if (left.length === 0) return;
    assert.ok(Date.now() < end, `after 20 s there is ${left} left`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until so many calls have come through. */
async function calls(count = 1) {
  while (network.calls.length < count) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a network that is cut in the middle of an answer loses and doubles nothing", async () => {
  const { context, page, register } = await aTill();
  let answer = () => {};
  network.fault = () =>
    network.calls.length === 0
      ? new Promise((resolve) => (answer = () => resolve()))
      : undefined;
  const sale = page.evaluate("sell()");
  await calls();
  while ((await salesOf(register)).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await context.setOffline(true);
  const { state, key } = await sale;
  assert.equal(state, "waiting");
  assert.equal((await page.evaluate("sell(2)")).state, "waiting");
  assert.deepEqual(await states(page), ["waiting", "waiting"]);
  answer();
  network.fault = () => undefined;
  await context.setOffline(false);
  await allSent(page);
  assert.equal((await page.evaluate("answered"))[0], key);
  assert.equal(network.calls.filter((call) => call.key === key).length, 2);
  const sales = await salesOf(register);
  assert.deepEqual(
    sales.map(({ total, offline }) => [total, offline]),
    [[700, false], [1400, true]],
  );
  assert.equal((await page.evaluate("sell()")).state, "sold");
  assert.equal((await salesOf(register)).length, 3);
  await context.close();
});

test("what waits survives a reload, and what was just being sent", async () => {
  const { context, page, register } = await aTill();
  network.fault = () => GONE;
  await page.evaluate("sell(1)");
  await page.evaluate("sell(2)");
  await page.reload();
  await page.waitForSelector("[data-ready]");
  assert.deepEqual(await states(page), ["waiting", "waiting"]);
  network.fault = () => undefined;
  await allSent(page);
  let sales = await salesOf(register);
  assert.deepEqual(sales.map(({ total }) => total), [700, 1400]);
  assert.ok(sales.every(({ offline }) => offline));
  assert.ok(sales.every((sale) => sale.sold_at < sale.recorded_at));

  // It has come to the server, or not: whichever, its page is gone before it knows.
  for (const fault of [new Promise(() => {}), GONE]) {
    const before = network.calls.length;
    network.fault = () => network.calls.length === before ? fault : undefined;
    page.evaluate("sell(3)").catch(() => {});
    await calls(before + 1);
    await page.reload();
    await page.waitForSelector("[data-ready]");
    await allSent(page);
  }
  sales = await salesOf(register);
  assert.deepEqual(sales.map(({ total }) => total), [700, 1400, 2100, 2100]);
  await context.close();
});

for (const locks of [true, false]) {
  test(`two tabs replay one queue, ${locks ? "one at a time" : "both at once"}`, async () => {
    const { context, page, open, register } = await aTill();
    if (!locks) {
      await context.addInitScript(() =>
        Object.defineProperty(navigator, "locks", { value: undefined })
      );
      await page.reload();
      await page.waitForSelector("[data-ready]");
    }
    const copy = await open();
    network.fault = () => GONE;
    for (let n = 0; n < 6; n += 1) {
      await [page, copy][n % 2]?.evaluate("sell()");
    }
    assert.equal((await states(page)).length, 6, "they have one queue");
    network.mend();
    await Promise.all([page, copy].map((tab) => tab.evaluate("till.flush()")));
    await allSent(page);
    assert.deepEqual(
      (await salesOf(register)).map(({ receipt_number }) => receipt_number),
      [1, 2, 3, 4, 5, 6],
    );
    if (locks) assert.equal(network.calls.length, 6);
    await context.close();
  });
}

test("a tab that is copied sells its own", async () => {
  const { context, page, open, register } = await aTill();
  const copy = await open();
  const sold = await Promise.all(
    [page, copy].map((tab) => tab.evaluate("sell()")),
  );
  assert.deepEqual(sold.map(({ state }) => state), ["sold", "sold"]);
  assert.notEqual(sold[0].sale.id, sold[1].sale.id);
  network.fault = () => GONE;
  await Promise.all([page, copy].map((tab) => tab.evaluate("sell()")));
  network.mend();
  await allSent(page);
  assert.equal((await salesOf(register)).length, 4);
  await context.close();
});

test("a shift that is opened without a network has what is sold in it", async () => {
  const { context, page, register, shift, elsewhere } = await aTill();
  const closed = await elsewhere.rpc("close_shift", {
    p_shift_id: shift,
    p_counted_cash: 10_000,
  });
  assert.equal(closed.error, null);
  await context.setOffline(true);
  const opened = await page.evaluate("till.openShift(5_000)");
  await page.evaluate("sell()");
  await context.setOffline(false);
  await allSent(page);
  await page.evaluate("sell()");
  const sales = await salesOf(register);
  assert.deepEqual(sales.map(({ shift_id }) => shift_id), [opened, opened]);
  assert.deepEqual(sales.map(({ offline }) => offline), [true, false]);
  const { data } = await clientOfTheShop().from("shifts").select().eq(
    "id",
    opened,
  ).single();
  assert.equal(data.opening_cash, 5_000);
  assert.ok(data.opened_at <= sales[0]?.sold_at);
  // Another one is open by the time that this one is told of.
  network.fault = () => GONE;
  await page.evaluate("till.openShift(1)");
  await page.evaluate("sell()");
  network.mend();
  await allSent(page);
  assert.equal((await salesOf(register)).at(-1)?.shift_id, opened);
  assert.equal(await page.evaluate("till.shift()"), opened);
  await context.close();
});

test("what is sold in a shift that is closed elsewhere is in it, and late", async () => {
  const { context, page, register, shift, elsewhere } = await aTill();
  await page.evaluate(`till.useShift("${shift}")`);
  assert.equal((await page.evaluate("sell()")).state, "sold");
  network.fault = () => GONE;
  await page.evaluate("sell()");
  await page.evaluate("sell()");
  const report = await elsewhere.rpc("close_shift", {
    p_shift_id: shift,
    p_counted_cash: 12_100,
  });
  assert.equal(report.data.shift.difference, 1_400);
  const next = await elsewhere.rpc("open_shift", {
    p_register_id: register,
    p_opening_cash: 0,
  });
  network.mend();
  await allSent(page);
  const sales = await salesOf(register);
  assert.deepEqual(
    sales.map((sale) => [sale.shift_id, sale.late]),
    [[shift, false], [shift, true], [shift, true]],
  );
  const { data } = await elsewhere.from("shift_corrections").select().eq(
    "shift_id",
    shift,
  ).single();
  assert.deepEqual(
    [data.late_sales, data.late_cash, data.corrected_difference],
    [2, 1_400, 0],
  );
  // Whoever sells now is told.
  const refusal = await page.evaluate("sell().catch(({ code }) => code)");
  assert.equal(refusal, "SHIFT_NOT_OPEN");
  await page.evaluate(`till.useShift("${next.data.shift.id}")`);
  assert.equal((await page.evaluate("sell()")).state, "sold");
  assert.equal((await salesOf(register)).length, 4);
  await context.close();
});
