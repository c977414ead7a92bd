// The console's pages about the shop in a browser: who may see them, what they say, what may be done, and whether everybody can use it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import process from "node:process";
import { after, before, test } from "node:test";
import pg from "pg";
import {
  accessible,
  act,
  asStaff,
  browser,
  PASSWORD,
  signIn,
  url,
  visit,
} from "./page.js";

const {
  API_URL: api,
  DB_URL: database,
  PUBLISHABLE_KEY: key,
  SECRET_KEY: secret,
  STRIPE_API_URL: stripe,
  STRIPE_PUBLISHABLE_KEY: card,
} = process.env;
if (!api || !database || !key || !secret || !stripe || !card) {
  throw new Error("the stack's variables are not set");
}

const BEANS = "9d0d0000-0000-4000-8000-000000000002";
const BATCH = "ba7c4000-0000-4000-8000-000000000005";

/**
 * Calls the API.
 * @param {string} path
 * @param {unknown} body
 * @param {string} [token]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
async function call(path, body, token, headers = {}) {
  const response = await fetch(`${api}/${path}`, {
    method: "POST",
    headers: {
      "apikey": token
        ? /** @type {string} */ (key)
        : /** @type {string} */ (secret),
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/**
 * Calls an RPC as the shop.
 * @param {string} name
 * @param {unknown} args
 */
const rpc = (name, args) => call(`rest/v1/rpc/${name}`, args);

/** @param {string} name */
async function token(name) {
  const answer = await call(
    "auth/v1/token?grant_type=password",
    { email: `${name}@example.com`, password: PASSWORD },
    key,
  );
  return answer.access_token;
}

let buyer = "";
/**
 * An order of the buyer's.
 * @param {string} method
 * @param {string} request by what the function's log knows it
 * @returns {Promise<{ id: string, number: number }>}
 */
async function order(method, request = randomUUID()) {
  const body = {
    cart_items: [{ product_id: BEANS, quantity: 1 }],
    payment_method: method,
  };
  const answer = await call("functions/v1/checkout", body, buyer, {
    "x-request-id": request,
  });
  return answer.order;
}

const db = new pg.Client({ connectionString: database });

/**
 * The only row that a query finds: what has come of it is asked of the database, not of the page.
 * @param {string} query
 * @param {string} id
 */
async function row(query, id) {
  const { rows } = await db.query(query, [id]);
  assert.equal(rows.length, 1, query);
  return rows[0];
}

const AVAILABLE =
  "select available_quantity::int from interlock.products where id = $1";

before(async () => {
  buyer = await token("buyer");
  await db.connect();
});
after(() => db.end());

/** @param {import("playwright-core").Page} page */
const states = (page) => page.locator(".row-head .chip").allTextContents();

test("who signs in as staff sees the shop, and who signs out does not", async () => {
  const { context, page, errors } = await visit("#/");
  assert.equal(await page.textContent("h1"), "Sign in");
  await signIn(page, "staff", "wrong");
  await page.waitForSelector("#sign-in-error:not(:empty)");
  assert.match(
    await page.textContent("#sign-in-error") ?? "",
    /^There is no account/,
  );
  await signIn(page, "staff");
  await page.waitForSelector(".parts");
  assert.match(
    await page.textContent("h1") ?? "",
    /All is well|needs? somebody/,
  );

  // A page that is loaded anew is still signed in, and nothing but the session is kept.
  await page.reload();
  await page.waitForSelector(".parts");
  assert.deepEqual(
    await page.evaluate(
      "[Object.keys(localStorage), Object.keys(sessionStorage)]",
    ),
    [[], ["interlock.session"]],
  );
  assert.deepEqual(await context.cookies(), []);
  await page.click(".who button");
  await page.waitForSelector("#email");
  assert.equal(await page.evaluate("sessionStorage.length"), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test("who is no staff reads one sentence", async () => {
  for (const name of ["buyer", "manager"]) {
    const { context, page, errors } = await visit("#/orders");
    await signIn(page, name);
    await page.waitForSelector(".who");
    assert.equal(
      await page.textContent("p.lead"),
      `${name}@example.com is signed in, but these pages are for staff: the account’s app_metadata.role has to be staff.`,
    );
    assert.equal(await page.locator("nav a[href='#/orders']").count(), 0);
    await accessible(page);
    assert.deepEqual(errors, []);
    await context.close();
  }
});

test("a token that has ended is renewed, and a session that has ended asks again", async () => {
  const { context, page } = await asStaff("#/");
  const age = (/** @type {string} */ member, /** @type {unknown} */ value) =>
    page.evaluate(`(() => {
      const kept = JSON.parse(sessionStorage.getItem("interlock.session"));
      kept[${JSON.stringify(member)}] = ${JSON.stringify(value)};
      sessionStorage.setItem("interlock.session", JSON.stringify(kept));
    })()`);
  const kept = () =>
    page.evaluate("sessionStorage.getItem('interlock.session')");
  await age("expires_at", 1);
  const old = await kept();
  await page.reload();
  await page.waitForSelector(".parts");
  assert.notEqual(await kept(), old);

  await age("expires_at", 1);
  await age("refresh_token", "nothing");
  await page.reload();
  await page.waitForSelector("#email");
  assert.match(await page.textContent("#sign-in-error") ?? "", /has ended/);
  await context.close();
});

test("an order is found by the request in a function's log, and leads back to it", async () => {
  const request = `support-${randomUUID()}`;
  const { id, number } = await order("wallet", request);
  const { context, page, errors } = await asStaff("#/orders");
  await page.fill("#search", request);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-ready] .rows li:only-child");
  assert.equal(await page.textContent(".rows h2"), `#${number}`);
  await page.click(".rows h2 a");
  await page.waitForSelector("[data-ready] .story");
  assert.equal(new URL(page.url()).hash, `#/orders/${id}`);
  assert.equal(await page.textContent("h1"), `Order #${number}`);
  const story = await page.textContent(".story") ?? "";
  assert.match(story, /Paid.*by the buyer/s);
  assert.ok(story.includes(request));
  assert.match(story, /−1 Espresso beans.*checkout/s);
  assert.match(story, /−8\.99 EUR/);
  const query = await page.textContent("#log-query") ?? "";
  assert.ok(query.includes(`like '%${request}%'`), query);
  await accessible(page);
  assert.deepEqual(errors, []);
  await context.close();
});

test("an order goes its way, each step after a question", async () => {
  const { id } = await order("bank_transfer");
  const { context, page, errors } = await asStaff(`#/orders/${id}`);
  assert.deepEqual(await states(page), ["waits for payment", "not begun"]);
  await page.locator("[data-deed=accept_payment]").click();
  await page.waitForSelector("#ask");
  await accessible(page);
  await page.keyboard.press("Escape");
  await page.locator("#ask").waitFor({ state: "detached" });
  await act(page, "accept_payment");
  assert.deepEqual(await states(page), ["paid", "not begun"]);
  await act(page, "process_order");
  await act(
    page,
    "ship_order",
    (dialog) => dialog.locator("input").fill("T-1"),
  );
  assert.deepEqual(await states(page), ["paid", "shipped"]);
  assert.match(await page.textContent(".about") ?? "", /T-1/);
  await act(page, "fulfill_order");
  await act(page, "refund_order");
  assert.deepEqual(await states(page), ["refunded", "delivered"]);
  assert.equal(await page.locator(".deeds").count(), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test("an order is cancelled, and what was done meanwhile is told", async () => {
  const { id } = await order("cash_on_delivery");
  const { context, page, errors } = await asStaff(`#/orders/${id}`);
  await page.locator("[data-deed=ship_order]").click();
  await page.waitForSelector("#ask");
  await rpc("cancel_order", { p_order_id: id });
  await page.click("#ask-yes");
  await page.waitForSelector("#ask-error:not(:empty)");
  assert.match(
    await page.textContent("#ask-error") ?? "",
    /\(ORDER_STATE_CONFLICT\)$/,
  );
  await page.keyboard.press("Escape");

  const other = await order("cash_on_delivery");
  await page.goto(`${url}/#/orders/${other.id}`);
  await page.waitForSelector(`[data-ready] h1:has-text("#${other.number}")`);
  await act(page, "cancel_order");
  assert.deepEqual(await states(page), ["cancelled", "not begun"]);
  assert.deepEqual(errors, []);
  await context.close();
});

test("a proof that shows no payment is rejected, and its order waits or ends", async () => {
  const { context, page, errors } = await asStaff("#/");
  const state = `select o.status, f.status as proof, f.reason,
      (o.payment_expires_at > now() and o.proof_submitted_at is null) as waits
    from interlock.orders o join interlock.payment_proofs f on f.order_id = o.id
    where o.id = $1`;
  for (const ends of [false, true]) {
    const { id, number } = await order("bank_transfer");
    const path = `b0000000-0000-4000-8000-000000000001/${id}/proof.png`;
    const args = { p_order_id: id, p_object_path: path };
    await call("rest/v1/rpc/submit_payment_proof", args, buyer);
    const { available_quantity: had } = await row(AVAILABLE, BEANS);

    await page.goto(`${url}/#/orders/${id}`);
    await page.waitForSelector(`[data-ready] h1:has-text("#${number}")`);
    await page.locator("[data-deed=reject_payment]").click();
    await page.click("#ask-yes");
    await page.waitForSelector("#ask-error:not(:empty)");
    assert.equal(
      (await row(state, id)).proof,
      "submitted",
      "without a reason nothing is done",
    );
    await page.keyboard.press("Escape");
    await page.locator("#ask").waitFor({ state: "detached" });
    await act(page, "reject_payment", async (dialog) => {
      await dialog.locator("#ask-0").fill("a picture of a cat");
      if (ends) await dialog.locator("#ask-1").check();
    });
    const { waits, ...rest } = await row(state, id);
    assert.deepEqual(rest, {
      status: ends ? "cancelled" : "pending_payment",
      proof: "rejected",
      reason: "a picture of a cat",
    });
    assert.ok(ends || waits, "another proof may be handed in");
    const { available_quantity: has } = await row(AVAILABLE, BEANS);
    assert.equal(has, ends ? had + 1 : had);
    assert.deepEqual(await states(page), [
      ends ? "cancelled" : "waits for payment",
      "not begun",
    ]);
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test("an order that has expired is opened again", async () => {
  const { context, page, errors } = await asStaff("#/");
  const state =
    "select status, payment_expires_at > now() as waits from interlock.orders where id = $1";
  for (const paid of [false, true]) {
    const { id, number } = await order("bank_transfer");
    await db.query(
      "update interlock.orders set payment_expires_at = created_at where id = $1",
      [id],
    );
    await rpc("expire_orders", {});
    assert.equal((await row(state, id)).status, "expired");
    const { available_quantity: had } = await row(AVAILABLE, BEANS);

    await page.goto(`${url}/#/orders/${id}`);
    await page.waitForSelector(`[data-ready] h1:has-text("#${number}")`);
    assert.deepEqual(await states(page), ["expired", "not begun"]);
    await act(page, "reopen_order", async (dialog) => {
      if (paid) await dialog.locator("#ask-0").check();
    });
    const { status, waits } = await row(state, id);
    assert.equal(status, paid ? "paid" : "pending_payment");
    assert.ok(paid || waits, "it has time to be paid");
    const { available_quantity: has } = await row(AVAILABLE, BEANS);
    assert.equal(has, had - 1, "it has taken its unit again");
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test("money by card goes back, a part of it and then the rest", async () => {
  const { id, number } = await order("card");
  const { payment } = await call(
    "functions/v1/payment-intent",
    { order_id: id },
    buyer,
  );
  const [intent] = payment.client_secret.split("_secret_");
  const confirmed = await fetch(
    `${stripe}/v1/payment_intents/${intent}/confirm`,
    {
      method: "POST",
      headers: { authorization: `Bearer ${card}` },
      body: new URLSearchParams({
        client_secret: payment.client_secret,
        payment_method: "pm_card_visa",
      }),
    },
  );
  assert.equal((await confirmed.json()).status, "succeeded");
  const { context, page, errors } = await asStaff(`#/orders/${id}`);
  // Its webhook tells the shop when it does: the page is read anew until it has.
  while ((await states(page))[0] !== "paid") {
    await page.reload();
    await page.waitForSelector(`[data-ready] h1:has-text("#${number}")`);
  }
  const state =
    `select p.status, p.amount::int, p.refund_asked::int, o.status as order_status
    from interlock.payments p join interlock.orders o on o.id = p.order_id where o.id = $1`;
  const { amount, ...before } = await row(state, id);
  assert.deepEqual(before, {
    status: "succeeded",
    refund_asked: 0,
    order_status: "paid",
  });

  await page.locator("[data-deed=refund_payment]").click();
  await page.fill("#ask-0", String(amount + 1));
  await page.click("#ask-yes");
  await page.waitForSelector("#ask-error:not(:empty)");
  assert.match(
    await page.textContent("#ask-error") ?? "",
    /\(REFUND_EXCEEDS_PAYMENT\)$/,
  );
  assert.equal((await row(state, id)).refund_asked, 0);
  await page.keyboard.press("Escape");
  await page.locator("#ask").waitFor({ state: "detached" });

  for (const [typed, asked] of [["100", 100], ["", amount]]) {
    await act(
      page,
      "refund_payment",
      (dialog) => dialog.locator("#ask-0").fill(String(typed)),
    );
    assert.deepEqual(await row(state, id), {
      status: "refund_due",
      amount,
      refund_asked: asked,
      order_status: "paid",
    });
  }
  assert.equal(
    await page.locator("[data-deed=refund_payment]").count(),
    0,
    "nothing is left to give back",
  );
  assert.deepEqual(errors, []);
  await context.close();
});

test("stock is adjusted with a reason", async () => {
  const { context, page, errors } = await asStaff("#/stock?q=Espresso");
  await page.waitForSelector(".rows li");
  const amount = async () =>
    Number((await page.textContent(".rows .facts li") ?? "").split(" ")[0]);
  const had = await amount();
  await page.locator("[data-deed=manage_inventory]").first().click();
  await page.fill("#ask-0", "many");
  await page.click("#ask-yes");
  assert.equal(
    await page.textContent("#ask-error"),
    "The change has to be a number.",
  );
  await page.fill("#ask-0", "3");
  await page.fill("#ask-1", "found behind the shelf");
  await page.click("#ask-yes");
  await page.locator("#ask").waitFor({ state: "detached" });
  await page.waitForSelector("[data-ready] .rows li");
  assert.equal(await amount(), had + 3);
  assert.deepEqual(errors, []);
  await context.close();
});

test("a batch is given to a driver", async () => {
  const { context, page, errors } = await asStaff(`#/batches?q=${BATCH}`);
  await page.waitForSelector(".rows li");
  await act(page, "assign_batch", async (dialog) => {
    await dialog.locator("option").first().waitFor({ state: "attached" });
    await dialog.locator("select").selectOption(
      "a0000000-0000-4000-8000-00000000000b",
    );
    await dialog.locator("input").fill("the other one is ill");
  });
  assert.deepEqual(await states(page), ["claimed"]);
  assert.deepEqual(errors, []);
  await context.close();
});

test("a session is given up, and what it has not found is decided on", async () => {
  const { id } = await order("wallet");
  const { session } = await rpc("create_picking_session", {
    p_order_ids: [id],
  });
  await rpc("pick_item", {
    p_session_id: session.id,
    p_product_id: BEANS,
    p_short: 1,
  });
  await rpc("audit_inventory", { p_full: true });
  const { context, page, errors } = await asStaff(
    `#/findings?q=${session.id}&state=open`,
  );
  await page.waitForSelector(".rows li");
  await act(page, "accept_finding", async (dialog) => {
    assert.equal(
      await dialog.locator("#ask-1").inputValue(),
      "staff@example.com",
    );
    await dialog.locator("#ask-0").fill("fell off the shelf");
  });
  await page.selectOption("#state", "accepted");
  await page.waitForSelector("[data-ready] .rows li");
  assert.match(
    await page.textContent(".facts") ?? "",
    /“fell off the shelf”, staff@example.com/,
  );

  await act(
    page,
    "resolve_finding",
    (dialog) => dialog.locator("input").fill("counted"),
  );
  assert.equal(await page.textContent("#count"), "Nothing found.");

  await page.goto(`${url}/#/sessions?q=${session.code}`);
  await page.waitForSelector("[data-ready] .rows li");
  await act(page, "abandon_picking_session");
  assert.deepEqual(await states(page), ["abandoned"]);
  assert.deepEqual(errors, []);
  await context.close();
});

test("a dead letter is seen, its endpoint switched on, and sent again", async () => {
  await rpc("create_webhook_endpoint", {
    p_url: "https://crm.example.com/",
    p_description: "CRM",
  });
  const { id } = await order("wallet");
  const worker = "a secret of the tests of the console";
  const p_secret = worker.replaceAll(" ", "-");
  await rpc("set_deliver_secret", { p_secret });
  const { deliveries } = await rpc("claim_deliveries", { p_secret });
  assert.ok(deliveries.length > 0);
  for (const delivery of deliveries) {
    await rpc("record_delivery", {
      p_delivery_id: delivery.id,
      p_lease: delivery.lease,
      p_status: 410,
    });
  }
  const { context, page, errors } = await asStaff("#/");
  await page.waitForSelector(".part.bad");
  assert.match(await page.textContent("h1") ?? "", /needs? somebody/);
  assert.match(
    await page.textContent(
      ".part.bad [data-deed=update_webhook_endpoint] >> xpath=../..",
    ) ?? "",
    /CRM was switched off/,
  );
  await act(page, "update_webhook_endpoint");

  await page.goto(`${url}/#/orders/${id}`);
  await page.waitForSelector("[data-ready] .story");
  assert.match(await page.textContent(".story") ?? "", /to CRM: dead letter/);
  await act(page, "retry_delivery");
  await page.goto(`${url}/#/deliveries?q=${id}&state=pending`);
  await page.waitForSelector("[data-ready] .rows li");
  assert.ok((await states(page)).includes("pending"));
  assert.deepEqual(errors, []);
  await context.close();
});

test("books are compared when that is asked for", async () => {
  const { context, page, errors } = await asStaff("#/");
  await page.waitForSelector(".parts");
  await page.click("text=Compare all books now");
  await page.waitForSelector(
    "[data-ready] .part >> text=/compared just now|differences? in/",
  );
  assert.deepEqual(errors, []);
  await context.close();
});

test("a list is searched, narrowed and paged", async () => {
  for (let count = 0; count < 27; count += 1) {
    await rpc("adjust_wallet", {
      p_user_id: "b0000000-0000-4000-8000-000000000001",
      p_delta: 899,
      p_currency: "EUR",
      p_reason: "test",
      p_reference: randomUUID(),
    });
    await order("wallet");
  }
  const { context, page, errors } = await asStaff("#/orders?state=paid");
  await page.waitForSelector("#more button");
  assert.equal(await page.locator(".rows > li").count(), 25);
  assert.equal(await page.textContent("#count"), "The first 25.");
  await page.click("#more button");
  await page.locator(".rows > li").nth(25).waitFor();
  const titles = await page.locator(".rows h2").allTextContents();
  assert.equal(new Set(titles).size, titles.length);
  await page.selectOption("#state", "expired");
  await page.waitForSelector('[data-ready] #count:has-text("found")');
  assert.equal(await page.textContent("#count"), "Nothing found.");
  await page.goBack();
  await page.waitForSelector(".rows > li");
  assert.equal(await page.inputValue("#state"), "paid");
  assert.deepEqual(errors, []);
  await context.close();
});

test("by keyboard alone", async () => {
  const { id } = await order("bank_transfer");
  const { context, page } = await asStaff("#/orders");
  await page.waitForSelector("[data-ready] .rows li");
  await page.focus("#search");
  await page.keyboard.type(id);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-ready] .rows li:only-child");
  for (const _ of ["state", "find", "order"]) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-ready] .story");
  assert.equal(await page.evaluate("document.activeElement.tagName"), "H1");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#ask");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#told:not(:empty)");
  await page.waitForSelector("[data-ready] .story");
  assert.deepEqual(await states(page), ["paid", "not begun"]);
  await context.close();
});

test("everybody can read it, in light and dark, on a phone too", async () => {
  const { id } = await order("bank_transfer");
  const pages = [
    "",
    "orders",
    "batches",
    "stock",
    "promos",
    "sessions",
    "findings",
    "deliveries",
    `orders/${id}`,
  ];
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (
      const viewport of [{ width: 390, height: 844 }, {
        width: 1280,
        height: 900,
      }]
    ) {
      const { context, page, errors } = await visit("#/", {
        colorScheme,
        viewport,
      });
      await accessible(page);
      await signIn(page, "staff");
      await page.waitForSelector(".parts");
      for (const name of pages) {
        await page.goto(`${url}/#/${name}`);
        await page.waitForSelector(
          `nav [aria-current][href="#/${name.replace(/\/.*/, "")}"]`,
        );
        await page.waitForSelector("[data-ready]");
        await page.evaluate(
          "document.querySelectorAll('details').forEach((details) => details.open = true)",
        );
        await accessible(page);
        assert.equal(
          await page.evaluate("document.documentElement.scrollWidth"),
          viewport.width,
          `${name}: nothing is wider than the screen`,
        );
        if (process.env.SCREENSHOTS) {
          const file = `${
            name.replace(/\/.*/, "-one") || "health"
          }-${colorScheme}-${viewport.width}.png`;
          await page.screenshot({
            path: `${process.env.SCREENSHOTS}/${file}`,
            fullPage: true,
          });
        }
      }
      assert.deepEqual(errors, []);
      await context.close();
    }
  }
});

test("no address has a token, and what is shown is there soon", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  /** @type {string[]} */
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  await page.goto(`${url}/#/`);
  await page.waitForSelector("[data-ready]");
  const ms = await page.evaluate(
    "performance.now() - performance.getEntriesByType('navigation')[0].responseStart",
  );
  console.log(
    `# ready for use ${Math.round(Number(ms))} ms after the first byte`,
  );
  await signIn(page, "staff");
  await page.waitForSelector(".parts");
  await page.goto(`${url}/#/orders`);
  await page.waitForSelector("[data-ready] .rows");
  assert.ok(addresses.length > 8);
  assert.deepEqual(
    addresses.filter((address) => /eyJ|token=/.test(address)),
    [],
  );
  await context.close();
});
