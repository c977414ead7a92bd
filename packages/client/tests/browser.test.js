// The client in a browser: what only a browser does to it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { browse } from "./browse.js";
import { fixture, nextUser, ordersOf } from "./fixture.js";

const { network, visit, close } = await browse();
after(close);

/** Waits until a call has come through. */
async function aCall() {
  while (network.calls.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a key passes the preflight, and the headers can be read", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  const settings = {
    apiUrl: network.url,
    token: user.token,
    product: fixture.product,
  };
  const answers = await page.evaluate(async ({ apiUrl, token, product }) => {
    const post = async (
      /** @type {string} */ name,
      /** @type {unknown} */ body,
    ) => {
      const response = await fetch(`${apiUrl}/functions/v1/${name}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "idempotency-key": "one submission",
          "x-request-id": "from-a-page",
        },
        body: JSON.stringify(body),
      });
      return {
        status: response.status,
        replayed: response.headers.get("idempotent-replayed"),
        requestId: response.headers.get("x-request-id"),
        retryAfter: Number(response.headers.get("retry-after")),
        body: await response.text(),
      };
    };
    const cart = { cart_items: [{ product_id: product, quantity: 1 }] };
    const first = await post("checkout", cart);
    const again = await post("checkout", cart);
    let guess;
    do guess = await post("promo-validate", {
      code: "NO-SUCH-CODE",
      subtotal: 1,
    }); while (guess.status === 404);
    return { first, again, guess };
  }, settings);
  const { first, again, guess } = answers;
  assert.deepEqual([first.status, first.replayed], [200, null]);
  assert.deepEqual([again.status, again.replayed], [200, "true"]);
  assert.equal(again.body, first.body);
  assert.equal(again.requestId, "from-a-page");
  assert.equal(guess.status, 429);
  assert.ok(guess.retryAfter > 30);
  const preflight = network.seen.find(({ method }) => method === "OPTIONS");
  const asked = preflight?.headers["access-control-request-headers"];
  assert.match(String(asked), /idempotency-key/);
  await context.close();
});

test("whatever supabase-js sends passes the preflight", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  const settings = {
    apiUrl: network.url,
    anonKey: fixture.anonKey,
    token: user.token,
    product: fixture.product,
  };
  const { data, error } = await page.evaluate(
    async ({ apiUrl, anonKey, token, product }) => {
      // @ts-ignore: the page has loaded it.
      const client = supabase.createClient(apiUrl, anonKey, {
        accessToken: () => Promise.resolve(token),
      });
      const { data, error } = await client.functions.invoke("checkout", {
        body: { cart_items: [{ product_id: product, quantity: 1 }] },
        region: "eu-central-1",
        headers: {
          "idempotency-key": "from a region",
          // What it adds by itself where the page has a trace.
          traceparent:
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          tracestate: "shop=1",
          baggage: "page=cart",
        },
      });
      return { data, error: error && String(error) };
    },
    settings,
  );
  assert.equal(error, null);
  assert.equal(data.success, true);
  const preflight = network.seen.find(({ method }) => method === "OPTIONS");
  const names = (/** @type {unknown} */ list) => String(list).split(/, ?/);
  const asked = names(preflight?.headers["access-control-request-headers"]);
  for (
    const name of [
      "apikey",
      "authorization",
      "x-client-info",
      "x-region",
      "traceparent",
    ]
  ) {
    assert.ok(asked.includes(name), `${name} is not in ${asked}`);
  }
  const answer = await fetch(`${fixture.apiUrl}/functions/v1/checkout`, {
    method: "OPTIONS",
  });
  const allowed = names(answer.headers.get("access-control-allow-headers"));
  assert.deepEqual(asked.filter((name) => !allowed.includes(name)), []);
  // Its own list for functions, and what its client for PostgREST sends.
  const { corsHeaders } = await import("@supabase/supabase-js/cors");
  const own = names(corsHeaders["Access-Control-Allow-Headers"]);
  assert.deepEqual(own.filter((name) => !allowed.includes(name)), []);
  assert.equal(await ordersOf(user), 1);
  await context.close();
});

test("a double click buys once", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  await page.dblclick("#buy");
  const outcomes = await page.evaluate("Promise.all(outcomes)");
  assert.equal(outcomes.length, 2);
  assert.equal(outcomes[0].id, outcomes[1].id);
  assert.equal(network.calls.length, 1);
  assert.equal(await ordersOf(user), 1);
  await context.close();
});

test("a reload in the middle of a submission finds its order", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  let answer = () => {};
  network.fault = () =>
    network.calls.length === 0
      ? new Promise((resolve) => (answer = () => resolve()))
      : undefined;
  await page.click("#buy");
  await aCall();
  await page.reload();
  await page.waitForSelector("[data-ready]");
  assert.ok(await page.evaluate("pending()"), "the page knows what it sent");
  const order = await page.evaluate("buy()");
  answer();
  assert.equal(order.status, "confirmed");
  const keys = new Set(network.calls.map(({ key }) => key));
  assert.deepEqual([network.calls.length, keys.size], [2, 1]);
  assert.equal(await ordersOf(user), 1);
  assert.equal(await page.evaluate("pending()"), null);
  await context.close();
});

test("a tab that was open before another one bought gets its order", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  const open = async () => {
    const tab = await context.newPage();
    await tab.goto(page.url());
    await tab.waitForSelector("[data-ready]");
    return tab;
  };
  const second = await open();
  const first = await page.evaluate("buy()");
  assert.equal((await second.evaluate("buy()")).id, first.id);
  assert.equal(await ordersOf(user), 1);
  // Whoever comes later, or has seen the order, means another one.
  const later = await (await open()).evaluate("buy()");
  assert.notEqual(later.id, first.id);
  assert.equal(await ordersOf(user), 2);
  await context.close();
});

test("offline a submission waits, and back online it goes out", async () => {
  const user = nextUser();
  const { context, page } = await visit(user);
  await context.setOffline(true);
  await page.click("#buy");
  await page.waitForFunction("pending()");
  assert.equal(network.seen.length, 0);
  await context.setOffline(false);
  const orders = await page.evaluate("Promise.all(outcomes)");
  assert.equal(orders[0].status, "confirmed");
  assert.equal(await ordersOf(user), 1);
  await context.close();
});
