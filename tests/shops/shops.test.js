// Two shops in one installation, as apps, staff and the shops' servers use it: by supabase-js, over functions, RPCs, tables, files and a
// provider's webhook. `npm test -- --only accounts` makes the second shop, berlin, and runs this.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { before, test } from "node:test";
import { createClient } from "@supabase/supabase-js";
import { Ajv2020 } from "ajv/dist/2020.js";

/** @param {string} name */
function env(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run npm test -- --only accounts`);
  }
  return value;
}

const url = env("API_URL");
const beans = "9d0d0000-0000-4000-8000-000000000002";

/**
 * A client with a session of its own, in a shop, or in none that it says.
 * @param {string | null} shop
 * @param {string} [key]
 */
const client = (shop, key = env("ANON_KEY")) =>
  createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { headers: shop === null ? {} : { "x-shop": shop } },
    // supabase-js wants one, and Node has it from version 22 on.
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
const admin = client(null, env("SERVICE_ROLE_KEY"));
const servers = {
  first: client("1", env("SERVICE_ROLE_KEY")),
  berlin: client("berlin", env("SERVICE_ROLE_KEY")),
};

/**
 * @template T
 * @param {{ data: T, error: unknown }} answer
 */
function accepted({ data, error }) {
  assert.equal(error, null);
  return /** @type {any} */ (data);
}

/**
 * The code of a refusal, by a function or an RPC.
 * @param {PromiseLike<{ error: any }>} call
 */
async function refusal(call) {
  const { error } = await call;
  assert.ok(error, "it is refused");
  if (error.context instanceof Response) {
    return (await error.context.json()).code;
  }
  return error.message;
}

/**
 * Somebody with an account, and a client of theirs for each shop that is named.
 * @param {Record<string, unknown>} [app]
 */
async function somebody(app) {
  const email = `${randomUUID()}@test.example`;
  const password = "correct horse";
  const { user } = accepted(
    await admin.auth.admin.createUser({
      email,
      password,
      email_confirm: true,
      app_metadata: app,
    }),
  );
  return {
    id: user.id,
    at: async (/** @type {string | null} */ shop) => {
      const one = client(shop);
      accepted(await one.auth.signInWithPassword({ email, password }));
      return one;
    },
  };
}

/**
 * @param {ReturnType<typeof client>} supabase
 * @param {Record<string, unknown>} [more]
 * @param {Record<string, string>} [headers]
 */
const buy = (supabase, more, headers) =>
  supabase.functions.invoke("checkout", {
    body: {
      cart_items: [{ product_id: beans, quantity: 1 }],
      payment_method: "bank_transfer",
      ...more,
    },
    headers,
  });

before(async () => {
  accepted(
    await servers.berlin.from("products").insert({
      id: beans,
      name: "Bohnen",
      price: 1111,
      currency: "EUR",
      available_quantity: 20,
    }),
  );
});

test("the same product is another one in another shop", async () => {
  const read = (/** @type {any} */ one) =>
    one.from("products").select("name, price").eq("id", beans);
  assert.deepEqual(accepted(await read(client("berlin"))), [
    { name: "Bohnen", price: 1111 },
  ]);
  const first = [{ name: "Espresso beans, 500 g", price: 899 }];
  for (const shop of [null, "1", "shop"]) {
    assert.deepEqual(accepted(await read(client(shop))), first);
  }
  assert.deepEqual(accepted(await read(servers.first)), first);
});

test("a buyer has orders where they bought, under keys of each shop", async () => {
  const ann = await somebody();
  const [there, here] = [await ann.at("berlin"), await ann.at(null)];
  const key = { "idempotency-key": randomUUID() };
  const { order } = accepted(await buy(there, {}, key));
  assert.equal(order.total, 1111);
  const other = accepted(await buy(here, {}, key)).order;
  assert.equal(other.total, 899);
  assert.equal(accepted(await buy(there, {}, key)).order.id, order.id);
  const orders = async (/** @type {any} */ one) =>
    accepted(await one.from("orders").select("id"));
  assert.deepEqual(await orders(there), [{ id: order.id }]);
  assert.deepEqual(await orders(here), [{ id: other.id }]);
  assert.equal(
    await refusal(here.rpc("cancel_order", { p_order_id: order.id })),
    "ORDER_NOT_FOUND",
  );
});

test("the last units of a shop are sold once, whatever others sell", async () => {
  const product = randomUUID();
  for (
    const [server, units] of /** @type {[any, number][]} */ ([
      [servers.berlin, 1],
      [servers.first, 3],
    ])
  ) {
    accepted(
      await server.from("products").insert({
        id: product,
        name: "Last",
        price: 100,
        currency: "EUR",
        available_quantity: units,
      }),
    );
  }
  const people = await Promise.all(Array.from({ length: 6 }, () => somebody()));
  const clients = await Promise.all(
    people.flatMap((one) => [one.at("berlin"), one.at("1")]),
  );
  const answers = await Promise.all(
    clients.map((one) =>
      buy(one, { cart_items: [{ product_id: product, quantity: 1 }] })
    ),
  );
  const won = (/** @type {number} */ of) =>
    answers.filter(({ error }, n) => n % 2 === of && error === null).length;
  assert.deepEqual([won(0), won(1)], [1, 3]);
  for (const server of Object.values(servers)) {
    const [row] = accepted(
      await server.from("products").select("available_quantity").eq(
        "id",
        product,
      ),
    );
    assert.equal(row.available_quantity, 0);
  }
});

test("staff is staff of the shop in their token", async () => {
  const ann = await somebody();
  const { order } = accepted(await buy(await ann.at("berlin")));
  const boss = await somebody({ role: "staff", shop_id: 2 });
  const ids = async (/** @type {any} */ one) =>
    accepted(await one.rpc("list_orders")).orders.map((/** @type {any} */ o) =>
      o.id
    );
  for (const shop of [null, "2", "berlin"]) {
    assert.ok((await ids(await boss.at(shop))).includes(order.id));
  }
  for (const shop of ["1", "shop"]) {
    assert.equal(
      await refusal((await boss.at(shop)).rpc("list_orders")),
      "SHOP_FORBIDDEN",
    );
    assert.equal(await refusal(buy(await boss.at(shop))), "SHOP_FORBIDDEN");
  }
  const stranger = await somebody({ role: "staff" });
  assert.ok(!(await ids(await stranger.at(null))).includes(order.id));
  assert.equal(
    await refusal((await stranger.at("berlin")).rpc("list_orders")),
    "SHOP_FORBIDDEN",
  );
});

test("a proof of payment is read in its shop alone", async () => {
  const ann = await somebody();
  const there = await ann.at("berlin");
  const { order } = accepted(await buy(there));
  const path = `${ann.id}/${order.id}/transfer.pdf`;
  const file = new Blob(["%PDF-1.7 paid"], { type: "application/pdf" });
  accepted(await there.storage.from("payment-proofs").upload(path, file));
  accepted(
    await there.rpc("submit_payment_proof", {
      p_order_id: order.id,
      p_object_path: path,
    }),
  );
  const read = async (/** @type {any} */ app) => {
    const one = await (await somebody(app)).at(null);
    const { error } = await one.storage.from("payment-proofs").download(path);
    return error === null;
  };
  assert.deepEqual(
    [
      await read({ role: "staff", shop_id: 2 }),
      await read({ role: "staff" }),
      await read({}),
    ],
    [true, false, false],
  );
});

test("a provider says the shop in the URL, and signs with the shop's secret", async () => {
  const secret = `whsec_${randomUUID()}`;
  accepted(
    await servers.berlin.rpc("set_payment_secret", {
      p_provider: "stripe",
      p_secret: secret,
    }),
  );
  const body = JSON.stringify({
    id: `evt_${randomUUID()}`,
    object: "event",
    type: "customer.created",
    created: Math.floor(Date.now() / 1000),
    data: { object: { id: "cus_1", object: "customer" } },
  });
  const at = Math.floor(Date.now() / 1000);
  const v1 = createHmac("sha256", secret).update(`${at}.${body}`).digest("hex");
  const send = async (/** @type {string} */ query) => {
    const response = await fetch(
      `${url}/functions/v1/payment-webhook${query}`,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "stripe-signature": `t=${at},v1=${v1}`,
        },
        body,
      },
    );
    return [response.status, (await response.json()).code];
  };
  assert.deepEqual(await send("?shop=2"), [200, undefined]);
  assert.deepEqual(await send("?shop=berlin"), [200, undefined]);
  assert.deepEqual(await send(""), [400, "WEBHOOK_SIGNATURE_INVALID"]);
});

test("there is no other shop, and no shop has another name", async () => {
  const ann = await somebody();
  assert.equal(await refusal(buy(await ann.at("3"))), "SHOP_UNKNOWN");
  assert.equal(
    await refusal((await ann.at("nowhere")).from("orders").select("id")),
    "SHOP_UNKNOWN",
  );
  assert.equal(
    await refusal(buy(await ann.at("Berlin!"))),
    "VALIDATION_FAILED",
  );
});

test("a platform's server opens, lists, changes and renames shops", async () => {
  const file = new URL("../../docs/openapi-rpc.json", import.meta.url);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(JSON.parse(readFileSync(file, "utf8")), "rpcs");
  /** @param {string} name @param {Record<string, unknown>} [given] */
  const call = async (name, given = {}) => {
    const answer = accepted(await admin.rpc(name, given));
    const validate = ajv.getSchema(
      `rpcs#/paths/~1rpc~1${name}/post/responses/200/content/application~1json/schema`,
    );
    assert.ok(validate?.(answer), JSON.stringify(validate?.errors));
    return answer;
  };
  const { shop_id } = await call("add_shop", { p_handle: "hamburg" });
  const taken = await admin.rpc("add_shop", { p_handle: "hamburg" });
  assert.equal(taken.error?.message, "SHOP_HANDLE_TAKEN");
  assert.equal(JSON.parse(taken.error?.details ?? "").shop, shop_id);
  const { shops } = await call("list_shops", { p_after: 1 });
  assert.deepEqual(
    shops.map((/** @type {any} */ shop) => [shop.id, shop.handle, shop.state]),
    [[2, "berlin", "open"], [shop_id, "hamburg", "open"]],
  );

  const look = (/** @type {string} */ shop) =>
    client(shop).from("products").select("id");
  assert.deepEqual(accepted(await look("hamburg")), []);
  await call("set_shop", { p_shop_id: shop_id, p_handle: "bremen" });
  assert.deepEqual(accepted(await look("bremen")), []);
  assert.equal(await refusal(look("hamburg")), "SHOP_UNKNOWN");
  await call("set_shop", { p_shop_id: shop_id, p_state: "closed" });
  assert.equal(await refusal(look("bremen")), "SHOP_CLOSED");

  const boss = await somebody({ role: "staff", shop_id: 2 });
  const theirs = await boss.at(null);
  assert.equal(
    await refusal(theirs.rpc("set_shop", { p_shop_id: 2 })),
    "permission denied for function set_shop",
  );
});

test("a merchant's team audits, imports and delivers for its shop", async () => {
  /** @param {string[]} words @returns {Promise<{ code: number, said: string }>} */
  const run = (...words) =>
    new Promise((resolve) =>
      execFile(
        process.execPath,
        ["crates/xtask/launch.mjs", ...words],
        (error, stdout, stderr) =>
          resolve({ code: error ? 1 : 0, said: error ? stderr : stdout }),
      )
    );
  const place = ["--json", "--db-url", env("DB_URL")];
  const stock = async (/** @type {any} */ server) =>
    accepted(
      await server.from("products").select("available_quantity").eq(
        "id",
        beans,
      ),
    )[0].available_quantity;
  const before = await stock(servers.first);
  const file = `${mkdtempSync(`${tmpdir()}/interlock-`)}/stock.csv`;
  writeFileSync(file, `product_id,quantity\n${beans},31\n`);
  const one = ["import-stock", file, "--replace", ...place];
  const imported = await run(...one, "--shop", "berlin");
  assert.equal(imported.code, 0, imported.said);
  assert.deepEqual(
    [await stock(servers.berlin), await stock(servers.first)],
    [31, before],
  );

  for (const shop of [["--shop", "berlin"], ["--shop", "3"], []]) {
    const audited = await run("audit", ...place, ...shop);
    assert.equal(audited.code, 0, audited.said);
    assert.equal(JSON.parse(audited.said).audits.length, 1);
  }
  const nowhere = await run("audit", ...place, "--shop", "nowhere");
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.said, /SHOP_UNKNOWN/);

  const secret = `deliver_${randomUUID()}`;
  accepted(
    await servers.berlin.rpc("set_deliver_secret", { p_secret: secret }),
  );
  const deliver = ["deliver", "--url", `${url}/functions/v1/deliver`];
  const sent = await run(...deliver, "--secret", secret, "--shop", "2");
  assert.match(sent.said, /^\d+ delivered, 0 /);
  const other = await run(...deliver, "--secret", secret);
  assert.match(other.said, /DELIVER_SECRET_INVALID/);
});
