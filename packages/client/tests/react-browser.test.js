// The hooks in a browser, before a server that answers as a test tells it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browse } from "./browse.js";
import { nextUser } from "./fixture.js";
import { bundle } from "./native/bundle.js";

const web = { platform: "web", conditions: ["browser"] };
const { network, visit, close } = await browse({
  "/react.js": await bundle("../react/app.js", web),
});
after(close);

const PRODUCT = "9d0d0000-0000-4000-8000-000000000001";

/** @param {unknown} body */
const answer = (body, status = 200) => ({
  status,
  headers: {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "content-type": "application/json",
  },
  body: JSON.stringify(body),
});
/** @param {string} code */
const refusal = (code) =>
  answer({ code, message: "", details: null, hint: "", retryable: false }, 409);

/** What is told where a test says nothing else. @param {string} path */
function usual(path) {
  if (path.endsWith("get_stock")) {
    return answer([{
      product_id: PRODUCT,
      available_quantity: 5,
      orderable_quantity: 5,
    }]);
  }
  return answer({
    session: {
      id: "session",
      code: "S",
      status: "packing",
      items: [],
      orders: [{
        order_id: "o",
        lines: [{
          progress_id: "l",
          product_id: "p",
          quantity_packed: 1,
          quantity_needed: 2,
          quantity_short: 0,
          version: 1,
        }],
      }],
    },
  });
}

/**
 * A page, and a server whose functions answer so.
 * @param {(path: string) => any} functions
 */
async function open(functions) {
  const { context, page } = await visit(
    nextUser(),
    "react",
    { product: PRODUCT },
    ({ path }) =>
      path.startsWith("/functions/") ? functions(path) : usual(path),
  );
  return {
    context,
    page,
    keys: () =>
      network.calls.filter(({ path }) => path.startsWith("/functions/"))
        .map(({ key }) => key),
    press: (/** @type {string} */ id) => page.click(`#${id}`),
    shows: (/** @type {string} */ id, /** @type {string} */ text) =>
      page.waitForFunction(
        ([id, text]) => document.getElementById(id ?? "")?.innerText === text,
        [id, text],
        { timeout: 20_000 },
      ),
  };
}

/** An answer that comes when it is told to. */
function held() {
  let tell = (/** @type {any} */ _) => {};
  const promise = new Promise((resolve) => tell = resolve);
  return { promise, tell };
}

test("two clicks are one order, and the stock shows it at once", async () => {
  const { promise, tell } = held();
  const { context, page, keys, shows } = await open(() => ({ later: promise }));
  await shows("stock", "5");
  await page.dblclick("#buy");
  await shows("buying", "true");
  await shows("stock", "1"); // Each click expects two less.
  tell(answer({ order: { id: "first" } }));
  await shows("order", "first");
  await shows("buying", "false");
  await shows("stock", "5");
  assert.equal(keys().length, 1);
  await context.close();
});

test("what is refused is told, and the stock is as before", async () => {
  const { context, press, shows } = await open(() =>
    refusal("INSUFFICIENT_INVENTORY")
  );
  await press("buy");
  await shows("refusal", "INSUFFICIENT_INVENTORY");
  await shows("unsent", "false");
  await shows("stock", "5");
  await context.close();
});

test("what nobody knows of is sent again under its key, over a reload", async () => {
  let lost = true;
  const { context, page, keys, press, shows } = await open(() =>
    lost ? answer({}, 502) : answer({ order: { id: "found" } })
  );
  await press("buy");
  await shows("unsent", "true");
  await page.reload();
  await shows("unsent", "true");
  lost = false;
  await press("resume");
  await shows("order", "found");
  await shows("unsent", "false");
  assert.equal(new Set(keys()).size, 1);
  await context.close();
});

test("what a driver does without a network is shown, and sent when it is back", async () => {
  const { context, keys, press, shows } = await open(() =>
    answer({ batch: { id: "b", status: keys().length > 0 ? "done" : "mine" } })
  );
  await press("claim");
  await shows("batch", "mine");
  await context.setOffline(true);
  await press("complete");
  await shows("doing", "complete");
  assert.equal(keys().length, 1);
  await context.setOffline(false);
  await shows("batch", "done");
  await shows("doing", "null");
  await context.close();
});

test("a scan is shown at once, and taken back if it is refused", async () => {
  const { promise, tell } = held();
  const { context, press, shows } = await open(() => ({ later: promise }));
  await shows("packed", "1");
  await press("scan");
  await shows("packed", "2");
  await shows("packing", "true");
  tell(refusal("NO_UNITS_TO_PACK"));
  await shows("packed", "1");
  await shows("packing", "false");
  await context.close();
});
