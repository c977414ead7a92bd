// What is broadcast, in browsers: two drivers' phones, and the badge of a product.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Interlock } from "../dist/index.js";
import { browse } from "./browse.js";
import { clientOf, clientOfTheShop, fixture, nextUser } from "./fixture.js";

const { network, visit, close } = await browse();
after(close);

/** @typedef {import("playwright-core").Page} Page */

/**
 * Waits until what a page shows last is so.
 * @param {Page} page
 * @param {string} isSo An expression of `last`.
 */
const shows = (page, isSo) =>
  page.waitForFunction(
    `(() => { const last = shown.at(-1); return ${isSo}; })()`,
    null,
    { timeout: 20_000 },
  );

test("two phones show a batch until one of them has claimed it, and what they missed when they are back", async () => {
  const [ann, bob] = fixture.listeningDrivers;
  assert.ok(ann && bob);
  const phones = [await visit(ann, "live"), await visit(bob, "live")];
  const everywhere = (/** @type {string} */ isSo) =>
    Promise.all(phones.map(({ page }) => shows(page, isSo)));
  const { data, error } = await clientOfTheShop().from("batches")
    .insert({ reference: "browser" }).select("id").single();
  assert.ifError(error);
  const has = `last.includes(${JSON.stringify(data?.id)})`;
  await everywhere(has);
  const driver = new Interlock(clientOf(ann));
  await driver.claimRoute(data?.id);
  await everywhere(`!${has}`);
  // Nobody hears of this: both are cut off, and read what there is when they are back.
  network.cut();
  await driver.release(data?.id);
  await everywhere(has);
  await Promise.all(phones.map(({ context }) => context.close()));
});

test("a badge is told when the last units go", async () => {
  const { data, error } = await clientOfTheShop().from("products").insert({
    name: "badge",
    price: 100,
    currency: "EUR",
    available_quantity: 7,
  }).select("id").single();
  assert.ifError(error);
  const { context, page } = await visit(nextUser(), "live", {
    stock: data?.id,
  });
  await shows(page, 'last === "in_stock"');
  const buyer = new Interlock(clientOf(nextUser()));
  const buy = (/** @type {number} */ quantity) =>
    buyer.checkout({ cart_items: [{ product_id: data?.id, quantity }] });
  await buy(3);
  await shows(page, 'last === "low"');
  await buy(4);
  await shows(page, 'last === "sold_out"');
  assert.deepEqual(await page.evaluate("shown"), [
    "in_stock",
    "low",
    "sold_out",
  ]);
  await context.close();
});
