// The examples in a browser, by two people at once and with a network that is cut.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../../examples/serve.js";
import { bundle } from "../../packages/client/tests/native/bundle.js";

const {
  API_URL = "",
  ANON_KEY = "",
  SERVICE_ROLE_KEY = "",
  STRIPE_API_URL = "",
  STRIPE_PUBLISHABLE_KEY = "",
} = process.env;
const OIL = "9d0d0000-0000-4000-8000-000000000001";
const BEANS = "9d0d0000-0000-4000-8000-000000000002";
const BARCODE = "4006381333931";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  assert.ok(
    API_URL && process.env.CHROMIUM_PATH,
    "run `cargo xtask test --only docs`, which starts a stack and finds a Chromium",
  );
  site = await serve({
    url: API_URL,
    key: ANON_KEY,
    port: 0,
    stripe: { url: STRIPE_API_URL, key: STRIPE_PUBLISHABLE_KEY },
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH,
    // Its sandbox needs rights that a container seldom gives; the pages are our own.
    args: ["--no-sandbox"],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: process.env.CHROMIUM_LIBRARIES ?? "",
    },
  });
});
after(async () => {
  await browser.close();
  site.server.close();
});

/** A call of the shop's own server. */
async function shop(
  /** @type {string} */ path,
  /** @type {unknown} */ body,
  token = SERVICE_ROLE_KEY,
  method = body === undefined ? "GET" : "POST",
) {
  const response = await fetch(`${API_URL}/${path}`, {
    method,
    headers: {
      apikey: SERVICE_ROLE_KEY,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": crypto.randomUUID(),
      prefer: "return=representation",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** The access token of somebody of the seed. */
function token(/** @type {string} */ user, role = "") {
  const claims = role
    ? ["--claims", JSON.stringify({ app_metadata: { role } })]
    : [];
  const { stdout, stderr, status } = spawnSync(
    process.env.STACK_PROGRAM ?? "",
    [
      "--dir",
      process.env.STACK_FOLDER ?? "",
      "token",
      "--user",
      user,
      ...claims,
    ],
    {
      encoding: "utf8",
      cwd: fileURLToPath(new URL("../../", import.meta.url)),
    },
  );
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/** A page of somebody, in a browser of their own. */
async function visit(/** @type {string} */ path, /** @type {string} */ token) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => assert.fail(`${path}: ${error.message}`));
  await page.goto(`${site.address}/${path}#${token}`);
  return { context, page };
}

/** Holds requests to this path back until two are there: else the slower of two people finds nothing to press any more. */
async function together(
  /** @type {string} */ path,
  /** @type {import("playwright-core").BrowserContext[]} */ ...contexts
) {
  let waiting = 0;
  let open = () => {};
  /** @type {Promise<void>} */
  const both = new Promise((resolve) => (open = resolve));
  for (const context of contexts) {
    await context.route(path, async (route) => {
      waiting += 1;
      if (waiting === 2) open();
      await both;
      await route.continue();
    }, { times: 2 });
  }
}

/** Waits until the page says so. */
const says = (
  /** @type {import("playwright-core").Page} */ page,
  /** @type {string} */ text,
) => page.locator("[role=status]", { hasText: text }).waitFor();

test("the last unit is sold once, and its order is followed", async () => {
  const [{ available_quantity: there }] = await shop(
    `rest/v1/rpc/get_stock`,
    { p_product_ids: [OIL] },
  );
  if (there !== 1) {
    await shop("rest/v1/rpc/adjust_stock", {
      p_product_id: OIL,
      p_delta: 1 - there,
    });
  }
  const pages = await Promise.all(
    ["buyer", "driver-a"].map((user) => visit("shop/", token(user))),
  );
  const buttons = pages.map(({ page }) =>
    page.locator(`[data-product="${OIL}"] button`)
  );
  // Two clicks of the one are one order of theirs, if they are the faster.
  await Promise.all(buttons.map((button) => button.waitFor()));
  await together(
    "**/functions/v1/checkout",
    ...pages.map(({ context }) => context),
  );
  await Promise.all([buttons[0]?.dblclick(), buttons[1]?.click()]);
  const outcomes = await Promise.all(
    pages.map(({ page }) =>
      Promise.race([
        // Not of the address: the second click goes there once more, and ends the first one's way.
        page.locator("#fulfillment:not(:empty)").waitFor()
          .then(() => "bought"),
        says(page, "sold out").then(() => "sold out"),
      ])
    ),
  );
  assert.deepEqual([...outcomes].sort(), ["bought", "sold out"]);
  const winner = pages[outcomes.indexOf("bought")]?.page;
  const loser = pages[outcomes.indexOf("sold out")]?.page;
  assert.ok(winner && loser);
  await loser.locator(`[data-product="${OIL}"] button:disabled`).waitFor();

  const id = new URL(winner.url()).searchParams.get("id");
  await winner.locator("#fulfillment", { hasText: "unfulfilled" }).waitFor();
  await winner.locator("#cancel").waitFor();
  // What the shop does is seen without a reload.
  await shop("rest/v1/rpc/ship_order", { p_order_id: id });
  await winner.locator("#fulfillment", { hasText: "shipped" }).waitFor();
  await winner.locator("#cancel").waitFor({ state: "hidden" });
  for (const { context } of pages) await context.close();
});

test("an order is cancelled by its buyer", async () => {
  const { page, context } = await visit("shop/", token("buyer"));
  await page.locator(`[data-product="${BEANS}"] button`).click();
  await page.waitForURL(/order\.html/);
  await page.locator("#cancel").click();
  await page.locator("#status", { hasText: "cancelled" }).waitFor();
  await context.close();
});

test("an order is paid by card once: after a refused card, in two tabs, with a double click", async () => {
  // docs/payments.md, which may have been read before, sets another.
  await shop("rest/v1/rpc/set_payment_secret", {
    p_provider: "stripe",
    p_secret: "whsec_interlock_stand_in_0123456789",
  });
  const { page, context } = await visit("shop/", token("buyer"));
  await page.locator("#method").selectOption("card");
  await page.locator(`[data-product="${BEANS}"] button`).click();
  await page.waitForURL(/order\.html/);
  await page.locator("#status", { hasText: "pending_payment" }).waitFor();
  const pay = page.getByRole("button", { name: "Pay" });
  await page.locator("[name=card]").fill("4000 0000 0000 0002");
  await pay.click();
  await says(page, "declined");
  // Nothing is lost, and another tab shows the same payment.
  const second = await context.newPage();
  await second.goto(`${site.address}/shop/#${token("buyer")}`);
  await second.goto(page.url());
  for (const tab of [page, second]) {
    await tab.locator("[name=card]").fill("4242 4242 4242 4242");
  }
  await together("**/stripe/**/confirm", context);
  await Promise.all([
    pay.dblclick(),
    second.getByRole("button", { name: "Pay" }).click(),
  ]);
  for (const tab of [page, second]) {
    await tab.locator("#status", { hasText: /^paid$/ }).waitFor();
    await tab.locator("#pay").waitFor({ state: "hidden" });
    await tab.locator("#cancel").waitFor({ state: "hidden" });
  }
  const id = new URL(page.url()).searchParams.get("id");
  const [order] = await shop(`rest/v1/orders?id=eq.${id}`, undefined);
  const payments = await shop(
    `rest/v1/payments?order_id=eq.${id}&status=eq.succeeded`,
    undefined,
  );
  assert.deepEqual(
    payments.map((/** @type {{ amount: number }} */ { amount }) => amount),
    [order.total],
  );
  await context.close();
});

test("a batch is one driver's, and without a network it is delivered later, once", async () => {
  const [batch] = await shop("rest/v1/batches", {
    reference: `Examples ${crypto.randomUUID()}`,
    priority: 1_000,
  });
  const [ann, bob] = await Promise.all(
    ["driver-a", "driver-b"].map((user) => visit("driver/", token(user))),
  );
  assert.ok(ann && bob);
  const row = (/** @type {import("playwright-core").Page} */ page) =>
    page.locator("li", { hasText: batch.reference }).locator("button");
  await Promise.all([row(ann.page).waitFor(), row(bob.page).waitFor()]);
  await together("**/functions/v1/claim-route", ann.context, bob.context);
  await Promise.all([row(ann.page).click(), row(bob.page).click()]);
  const held = (
    /** @type {{ page: import("playwright-core").Page }} */ { page },
  ) => page.locator("#mine h2", { hasText: batch.reference });
  const winner = await Promise.race(
    [ann, bob].map((one) => held(one).waitFor().then(() => one)),
  );
  const other = winner === ann ? bob : ann;
  await says(other.page, "This batch cannot be claimed now");
  // It is gone from the other's list without a reload.
  await row(other.page).waitFor({ state: "detached" });

  await winner.page.locator("[data-action=start]").click();
  await winner.page.locator("[data-action=start]").waitFor({ state: "hidden" });
  await winner.context.setOffline(true);
  await winner.page.locator("[data-action=complete]").click();
  await says(winner.page, "No network");
  const [before] = await shop(`rest/v1/batches?id=eq.${batch.id}`, undefined);
  assert.equal(before.status, "in_progress");
  await winner.context.setOffline(false);
  await winner.page.locator("#free").waitFor();
  const [done] = await shop(`rest/v1/batches?id=eq.${batch.id}`, undefined);
  assert.equal(done.status, "completed");
  const events = await shop(
    `rest/v1/batch_events?batch_id=eq.${batch.id}&event=eq.completed`,
    undefined,
  );
  assert.equal(events.length, 1);
  for (const { context } of [ann, bob]) await context.close();
});

test("a driver's screen of React Native keeps what was pressed, without a network and over a restart", async (test) => {
  const [batch, lost] = await shop(
    "rest/v1/batches",
    [1_000, 999].map((priority) => ({
      reference: `Examples ${crypto.randomUUID()}`,
      priority,
    })),
  );
  const at = (/** @type {string} */ path) =>
    fileURLToPath(new URL(path, import.meta.url));
  const app = await bundle(at("phone/app.js"), {
    folders: [at("phone"), at("../../examples/driver")],
    standIns: {
      "react-native": at("phone/react-native.js"),
      "@react-native-async-storage/async-storage": at("phone/async-storage.js"),
      "@react-native-community/netinfo": at("phone/netinfo.js"),
    },
  });
  // From a server: what a test makes up by itself may not call one on this machine.
  const server = createServer(({ url }, response) => {
    const isApp = url === "/app.js";
    response.writeHead(200, {
      "content-type": isApp ? "text/javascript" : "text/html; charset=utf-8",
    }).end(
      isApp
        ? app
        : `<!doctype html><main></main><script src="app.js"></script>`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server
    .address());
  const phone = `http://127.0.0.1:${port}`;
  const context = await browser.newContext();
  // A phone's JavaScript is not told of the network by its navigator.
  await context.addInitScript(() =>
    Object.defineProperty(navigator, "onLine", { get: () => undefined })
  );
  const page = await context.newPage();
  page.on("pageerror", (error) => assert.fail(error.message));
  const given = JSON.stringify({
    url: API_URL,
    key: ANON_KEY,
    token: token("driver-a"),
  });
  await page.goto(`${phone}/#${encodeURIComponent(given)}`);
  const press = (/** @type {string} */ name) =>
    page.getByRole("button", { name }).click();
  const shows = (/** @type {string} */ text) =>
    page.locator("p", { hasText: text }).waitFor();

  await press("Claim the next one");
  await shows(batch.reference);
  await press("Set out");
  await page.getByRole("button", { name: "Set out" }).waitFor({
    state: "detached",
  });
  await context.route("**/functions/v1/**", (route) => route.abort());
  await press("Delivered");
  await shows("Not sent yet");
  await page.waitForFunction('localStorage.getItem("phone:interlock:round")');
  await page.reload();
  await shows("Not sent yet");
  await shows(batch.reference);
  await context.unroute("**/functions/v1/**");
  await page.evaluate("tellNetInfo(true)");
  await shows("No round");
  const events = await shop(
    `rest/v1/batch_events?batch_id=eq.${batch.id}&event=eq.completed`,
    undefined,
  );
  assert.equal(events.length, 1);

  // What is refused is not sent again, and the screen shows what is so.
  await press("Claim the next one");
  await shows(lost.reference);
  await shop(
    `rest/v1/batches?id=eq.${lost.id}`,
    { status: "cancelled" },
    SERVICE_ROLE_KEY,
    "PATCH",
  );
  await press("Delivered");
  await shows("No round");
  assert.equal(await page.locator("p").count(), 2, "and why");
  await page.waitForFunction(
    '!localStorage.getItem("phone:interlock:round")',
  );
  await context.close();
});

test("a till sells without a network, and each sale once", async () => {
  const { page, context } = await visit("till/", token("cashier"));
  await page.locator("#open").click();
  await says(page, "The shift is open");
  const sell = async () => {
    await page.locator("[name=barcode]").fill(BARCODE);
    await page.keyboard.press("Enter");
    await page.locator("#lines li", { hasText: "1 ×" }).waitFor();
    await page.locator("#cash").click();
  };
  await sell();
  await says(page, "Sold: receipt");
  await context.setOffline(true);
  await sell();
  await says(page, "It is sent when the network is back");
  await page.locator("#waiting", { hasText: "1 to be sent" }).waitFor();
  await sell();
  await page.locator("#waiting", { hasText: "2 to be sent" }).waitFor();
  await context.setOffline(false);
  await page.locator("#waiting:empty").waitFor({ state: "attached" });
  assert.equal(await page.locator("#failed li").count(), 0);
  const [register] = await shop(
    "rest/v1/registers?active=is.true&order=created_at&limit=1",
    undefined,
  );
  const sales = await shop(
    `rest/v1/sales?register_id=eq.${register.id}&order=receipt_number.desc&limit=3`,
    undefined,
  );
  assert.deepEqual(
    sales.map((/** @type {{ offline: boolean }} */ sale) => sale.offline),
    [true, true, false],
  );
  await context.close();
});

test("two packers fill one box, and it leaves once", async () => {
  const { order } = await shop(
    "functions/v1/checkout",
    { cart_items: [{ product_id: BEANS, quantity: 2 }] },
    token("buyer"),
  );
  const { session } = await shop("rest/v1/rpc/create_picking_session", {
    p_order_ids: [order.id],
  });
  await shop("rest/v1/rpc/pick_item", {
    p_session_id: session.id,
    p_product_id: BEANS,
    p_quantity: 2,
  });
  await shop("rest/v1/rpc/start_packing", { p_session_id: session.id });
  const workers = await Promise.all(
    [token("packer"), token("driver-b", "packer")].map((worker) =>
      visit(`packing/?session=${session.id}`, worker)
    ),
  );
  for (const { page } of workers) {
    await page.locator("li", { hasText: "0 of 2" }).waitFor();
  }
  // The one scans, the other presses; each sees both.
  const [one, two] = workers.map(({ page }) => page);
  assert.ok(one && two);
  await one.locator("[name=barcode]").fill(BARCODE);
  await Promise.all([
    one.keyboard.press("Enter"),
    two.getByRole("button", { name: "+" }).click(),
  ]);
  for (const { page } of workers) {
    await page.locator("li", { hasText: "2 of 2" }).waitFor();
  }
  // There is no third.
  await one.getByRole("button", { name: "+" }).click();
  await one.locator("[role=status]:not(:empty)").waitFor();
  await one.locator("li", { hasText: "2 of 2" }).waitFor();
  await together(
    "**/functions/v1/pack",
    ...workers.map(({ context }) => context),
  );
  await Promise.all(
    workers.map(({ page }) =>
      page.getByRole("button", { name: "Send it" }).click()
    ),
  );
  const sent = await (async () => {
    for (;;) {
      const [row] = await shop(`rest/v1/orders?id=eq.${order.id}`, undefined);
      if (row.fulfillment === "shipped") return row;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const shipments = await shop(
    `rest/v1/order_shipments?order_id=eq.${sent.id}`,
    undefined,
  );
  assert.equal(shipments.length, 1);
  for (const { context } of workers) await context.close();
});
