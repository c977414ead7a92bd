// Two pages, each in a browser of its own, at one packing table.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browse } from "./browse.js";
import { fixture } from "./fixture.js";

const { network, visit, close } = await browse();
after(close);

/** @typedef {import("playwright-core").Page} Page */

/** A session that no other test has, and two who work at it. */
async function aTable() {
  const packing = fixture.packings.pop();
  if (!packing) {
    throw new Error("tests/client/mod.rs has made too few sessions");
  }
  const [ann, bob] = fixture.packers;
  const pages = [
    await visit(ann, "packing", packing),
    await visit(bob, "packing", packing),
  ];
  return {
    pages: pages.map(({ page }) => page),
    close: () => Promise.all(pages.map(({ context }) => context.close())),
  };
}

/**
 * Waits until a page shows so many units of an order.
 * @param {Page} page
 * @param {number} order
 * @param {number} units
 */
async function shows(page, order, units) {
  const end = Date.now() + 20_000;
  for (;;) {
    const last = await page.evaluate(`shown[${order}].at(-1)`);
    if (last === units) return;
    assert.ok(Date.now() < end, `after 20 s it shows ${last} and not ${units}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("two pages pack one line, and each sees what the other does", async () => {
  const { pages, close } = await aTable();
  const [ann, bob] = pages;
  assert.ok(ann && bob);
  const scanned = await Promise.all(
    pages.map((page) => page.evaluate("scan(0)")),
  );
  // Each answers the newest that is known; who was first may have heard of the other one's before its own answer.
  assert.equal(Math.max(...scanned.map(Number)), 2);
  for (const page of pages) await shows(page, 0, 2);
  await bob.evaluate("scan(1)");
  await shows(ann, 1, 1);
  // Their connections are cut; who comes back sees what was done meanwhile.
  network.cut();
  await bob.evaluate("scan(0)");
  await shows(ann, 0, 3);
  await ann.evaluate("scan(0)");
  await shows(bob, 0, 4);
  // Nothing that came late was shown in place of something newer.
  for (const page of pages) {
    const shown = /** @type {number[]} */ (await page.evaluate("shown[0]"));
    assert.deepEqual(shown, [...shown].sort((one, other) => one - other));
  }
  await close();
});

test("a scan is shown at once, and taken back if it is refused", async () => {
  const { pages, close } = await aTable();
  const [ann, bob] = pages;
  assert.ok(ann && bob);
  for (let n = 0; n < 5; n += 1) await bob.evaluate("scan(0)");
  // The last unit of six goes to another order; the answer to who comes second is held back.
  assert.equal(await bob.evaluate("scan(1)"), 1);
  await shows(ann, 1, 1);
  /** @type {(() => void)[]} */
  const held = [];
  network.fault = () =>
    new Promise((resolve) => held.push(() => resolve(undefined)));
  await ann.evaluate("void (globalThis.late = scan(1))");
  await shows(ann, 1, 2);
  network.fault = () => undefined;
  for (const answer of held) answer();
  assert.equal(await ann.evaluate("late"), "NO_UNITS_TO_PACK");
  await shows(ann, 1, 1);
  await close();
});
