// What database functions answer is what docs/openapi-rpc.json says: as they are called in a shop, one after the other, and its examples, each sent
// by everybody of the seed.
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, before, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import pg from "pg";
import { root } from "./blocks.js";
import { variables } from "./people.js";

const {
  API_URL = "",
  ANON_KEY = "",
  DB_URL = "",
  SERVICE_ROLE_KEY = "",
} = process.env;
const document = JSON.parse(
  readFileSync(new URL("docs/openapi-rpc.json", root), "utf8"),
);
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, "rpcs");

/** What is answered only where there are many shops: tests/shops holds it. */
const OF_MANY_SHOPS = ["/rpc/add_shop", "/rpc/set_shop"];

/** What was answered so far, and as the document describes it. @type {Set<string>} */
const answered = new Set();
/** @type {pg.Client} */
let db;

before(async () => {
  db = new pg.Client({ connectionString: DB_URL });
  await db.connect();
});

after(() => db.end());

/**
 * Whether it is described; what is no JSON, as the figures for Prometheus are, and what was not read off has no schema.
 * @param {string} path
 */
function isDescribed(path) {
  const content = document.paths[path].post.responses[200].content;
  const schema = content["application/json"]?.schema;
  return schema && schema.$ref !== "#/components/schemas/Json";
}

/**
 * Calls a function, and holds its answer against the document.
 * @param {string} token
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<{ ok: boolean, answer: any }>}
 */
async function call(token, path, body) {
  const response = await fetch(`${API_URL}/rest/v1${path}`, {
    method: "POST",
    headers: {
      apikey: token === SERVICE_ROLE_KEY ? SERVICE_ROLE_KEY : ANON_KEY,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  const { ok } = response;
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  const promised =
    document.paths[path].post.responses[200].content["application/json"];
  if (!isJson || text === "" || (ok && !promised)) return { ok, answer: text };
  const answer = JSON.parse(text);
  const escaped = path.replaceAll("/", "~1");
  const at = ok
    ? `rpcs#/paths/${escaped}/post/responses/200/content/application~1json/schema`
    : "rpcs#/components/schemas/Refusal";
  const validate = ajv.getSchema(at);
  assert.ok(validate, at);
  assert.ok(
    validate(answer),
    `${path}: ${JSON.stringify(validate.errors)}\n${text.slice(0, 2000)}`,
  );
  if (ok) answered.add(path);
  return { ok, answer };
}

/**
 * Whoever has that token, as they call what they may.
 * @param {string} token
 */
function who(token) {
  return async (
    /** @type {string} */ name,
    /** @type {Record<string, unknown>} */ given = {},
  ) => {
    const named = Object.fromEntries(
      Object.entries(given).map(([key, value]) => [`p_${key}`, value]),
    );
    const { ok, answer } = await call(token, `/rpc/${name}`, named);
    assert.ok(ok, `${name}: ${JSON.stringify(answer)}`);
    return answer;
  };
}

/**
 * The first value of the first row.
 * @param {string} sql
 * @param {unknown[]} values
 */
async function value(sql, ...values) {
  const { rows: [row] } = await db.query(sql, values);
  return row && Object.values(row)[0];
}

const BUYER = "b0000000-0000-4000-8000-000000000001";
const DRIVER = "a0000000-0000-4000-8000-00000000000a";
const PROMO = "c0de0000-0000-4000-8000-000000000001";
const BEANS = "9d0d0000-0000-4000-8000-000000000002";
const SALT = "9d0d0000-0000-4000-8000-000000000003";
const CODES = "9d0d0000-0000-4000-8000-000000000004";

/** @param {number} quantity */
const salt = (quantity) => [{ product_id: SALT, quantity }];

const people = variables();
const service = who(SERVICE_ROLE_KEY);
const buyer = who(String(people.BUYER));
const staff = who(String(people.STAFF));
const manager = who(String(people.MANAGER));
const cashier = who(String(people.CASHIER));
const packer = who(String(people.PACKER));

/**
 * An order of the buyer, who pays so.
 * @param {string} method
 * @param {Record<string, unknown>} more
 * @returns {Promise<string>}
 */
async function order(method, more = {}) {
  const { order } = await buyer("checkout", {
    cart_items: salt(2),
    payment_method: method,
    ...more,
  });
  return order.id;
}

test("orders, from the cart to the door", async () => {
  await service("get_stock", { product_ids: [SALT, BEANS] });
  await buyer("reserve_cart", { cart_items: salt(1) });
  await buyer("release_cart");
  await service("top_up_wallet", {
    user_id: BUYER,
    amount: 50000,
    currency: "EUR",
    reference: randomUUID(),
  });
  await staff("list_wallet_movements", { user_id: BUYER });

  const cash = await order("cash_on_delivery");
  await staff("correct_order", { order_id: cash, contact: { name: "Ann" } });
  await staff("process_order", { order_id: cash });
  await staff("ship_order", { order_id: cash, tracking: "T1" });
  await staff("fulfill_order", { order_id: cash });
  await staff("order_story", { order_id: cash });
  await staff("list_orders");
  await staff("refund_order", { order_id: await order("wallet") });

  const late = await order("bank_transfer");
  await db.query(
    "update interlock.orders set payment_expires_at = now() - interval '1 hour' where id = $1",
    [late],
  );
  await service("expire_orders");
  await staff("reopen_order", { order_id: late, paid: true });

  await db.query(
    "insert into interlock.product_codes (product_id, code) select $1, gen_random_uuid() from generate_series(1, 3)",
    [CODES],
  );
  const gift = await order("wallet", {
    cart_items: [{ product_id: CODES, quantity: 1 }],
  });
  const code = await value(
    "select id from interlock.product_codes where order_id = $1",
    gift,
  );
  await staff("replace_product_code", {
    code_id: Number(code),
    reason: "used",
  });
  await service("claim_product_codes_atomic", {
    product_id: CODES,
    quantity: 1,
    order_id: gift,
    reference: "another",
  });
});

test("money that comes from outside", async () => {
  const first = await order("bank_transfer");
  for (const name of ["a.pdf", "b.pdf"]) {
    const path = `${BUYER}/${first}/${name}`;
    if (await value("select to_regclass('storage.objects')::text")) {
      await db.query(
        "insert into storage.objects (bucket_id, name) values ('payment-proofs', $1)",
        [path],
      );
    }
    await buyer("submit_payment_proof", { order_id: first, object_path: path });
    await staff("list_payment_proofs");
    if (name === "a.pdf") await staff("reject_payment", { order_id: first });
  }
  await staff("accept_payment", { order_id: first });

  await db.query(
    "update interlock.settings set payment_methods = payment_methods || '{card}' where not 'card' = any (payment_methods)",
  );
  const secret = "whsec_of_these_answers";
  await service("set_payment_secret", { provider: "stripe", secret });
  const card = await order("card");
  const { payment } = await buyer("begin_card_payment", { order_id: card });
  await buyer("store_card_payment", {
    payment_id: payment.id,
    provider_id: "pi_answers",
  });
  const time = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    id: "evt_answers",
    type: "payment_intent.succeeded",
    created: time,
    data: {
      object: {
        id: "pi_answers",
        amount: payment.amount,
        amount_received: payment.amount,
        currency: payment.currency.toLowerCase(),
        metadata: { order_id: card, payment_id: payment.id },
      },
    },
  });
  const signed = createHmac("sha256", secret).update(`${time}.${body}`);
  await service("payment_webhook", {
    provider: "stripe",
    body,
    signature: `t=${time},v1=${signed.digest("hex")}`,
  });
  await staff("list_payments");
});

test("what is told outside", async () => {
  const url = "https://hooks.example.com/answers";
  const { endpoint } = await staff("create_webhook_endpoint", { url });
  const endpoint_id = endpoint.id;
  await staff("update_webhook_endpoint", { endpoint_id, description: "Ours" });
  await staff("roll_webhook_secret", { endpoint_id });
  await staff("send_test_event", { endpoint_id });
  await staff("list_webhook_endpoints");
  const secret = randomUUID() + randomUUID();
  await service("set_deliver_secret", { secret });
  const { deliveries } = await service("claim_deliveries", { secret });
  const { id: delivery_id, lease } = deliveries.find(
    (/** @type {{ url: string }} */ delivery) => delivery.url === url,
  );
  await service("record_delivery", { delivery_id, lease, status: 410 });
  await staff("list_deliveries");
  await staff("retry_delivery", { delivery_id });
  await staff("delete_webhook_endpoint", { endpoint_id });

  await staff("suppress_email", { email: "nobody@example.com" });
  await staff("allow_email", { email: "nobody@example.com" });
  await staff("set_mail_settings", { sender: "Shop <shop@example.com>" });
  const kind = "order_confirmed";
  await staff("set_mail_template", { kind, language: "en" });
  await staff("preview_mail", {
    order_id: await order("cash_on_delivery"),
    kind,
  });
  await staff("set_mail_settings", { active: false });
  const key = randomUUID().replaceAll("-", "");
  await service("set_mail_webhook_secret", { secret: `whsec_${key}` });
  const sent = JSON.stringify({ type: "email.sent", data: {} });
  const time = Math.floor(Date.now() / 1000);
  const signed = createHmac("sha256", Buffer.from(key, "base64"));
  signed.update(`msg_1.${time}.${sent}`);
  await service("mail_webhook", {
    body: sent,
    signature: `msg_1 ${time} v1,${signed.digest("base64")}`,
  });
  await staff("set_crm_settings", { account: "1", active: false });
  await staff("set_crm_mappings", {
    mappings: [{ event_type: "order.paid", path: "/sales", body: {} }],
    active: false,
  });
});

test("picked and packed", async () => {
  const line = [{ product_id: BEANS, quantity: 2 }];
  const orders = [];
  for (const _ of Array(3)) {
    orders.push(await order("wallet", { cart_items: line }));
  }
  const { session } = await packer("create_picking_session", {
    order_ids: orders,
  });
  const session_id = session.id;
  await packer("claim_picking", { session_id });
  await packer("release_picking", { session_id });
  await packer("remove_order_from_session", {
    session_id,
    order_id: orders.pop(),
  });
  await packer("pick_item", { session_id, product_id: BEANS, quantity: 4 });
  await packer("start_packing", { session_id });
  const [first, second] = orders;
  const at = { session_id, order_id: first, product_id: BEANS };
  await packer("update_packing_progress_atomic", at);
  await packer("increment_packing_quantity", {
    progress_id: await value(
      "select id from interlock.packing_progress where order_id = $1",
      second,
    ),
    quantity_needed: 2,
    picked_quantity: 4,
    session_id,
    product_id: BEANS,
  });
  await packer("get_picking_session", { session_id });
  await manager("abandon_picking_session", { session_id });
  await service("abandon_stale_sessions");
});

test("at a till", async () => {
  const register_id = await value(
    `insert into interlock.registers (location_id, name, currency, receipt_prefix)
     values (interlock.online_location(), 'Answers', 'EUR', 'A') returning id`,
  );
  const user_id = await value(
    `insert into auth.users (id, aud, role, email, created_at, updated_at)
     values (gen_random_uuid(), 'authenticated', 'authenticated', 'answers@example.com', now(), now()) returning id`,
  );
  const phone = `+43660${String(Date.now()).slice(-8)}`;
  const { shift } = await cashier("open_shift", {
    register_id,
    opening_cash: 10000,
  });
  const { customer } = await cashier("save_customer", {
    person: { name: "Ann", phone },
  });
  const { customer: twin } = await cashier("save_customer", {
    person: { name: "Ann", email: "answers@example.com" },
  });
  await cashier("find_customer", { email: "answers@example.com" });
  await manager("merge_customers", { from: twin.id, into: customer.id });
  await manager("link_customer", { customer_id: customer.id, user_id });

  const park = { register_id, name: "Ann", lines: salt(1) };
  const { parked_sale: one } = await cashier("park_sale", park);
  const { parked_sale: two } = await cashier("park_sale", park);
  await cashier("discard_parked_sale", { parked_sale_id: one.id });
  await cashier("resume_parked_sale", { parked_sale_id: two.id, register_id });
  const { sale } = await cashier("pos_sale", {
    register_id,
    lines: salt(1),
    tenders: [{ type: "cash", amount: 10000 }],
  });
  await cashier("sale_receipt", { sale_id: sale.id });
  const { approval } = await manager("approve_sale", {
    register_id,
    actions: ["void"],
    reason: "wrong goods",
  });
  await cashier("void_sale", {
    sale_id: sale.id,
    reason: "wrong goods",
    approval_id: approval.id,
  });
  await cashier("close_shift", { shift_id: shift.id, counted_cash: 10000 });
  await service("expire_parked_sales");
  await manager("erase_customer", { customer_id: customer.id });
});

test("stock, slots and drivers", async () => {
  const inventory_id = await value(
    `with place as (
       insert into interlock.locations (name) values ('Answers') returning id
     )
     insert into interlock.inventory (product_id, location_id, quantity)
     select $1, p.id, 10 from place p returning id`,
    SALT,
  );
  await staff("decrement_inventory", { inventory_id, quantity: 1 });
  await service("set_stock_slots", { product_id: BEANS, slots: 4 });
  await service("settle_slots");
  await service("set_stock_slots", { product_id: BEANS, slots: 0 });
  await service("set_promo_slots", { promo_id: PROMO, slots: 0 });
  const batch_id = await value(
    "insert into interlock.batches (reference) values ('Answers') returning id",
  );
  await staff("assign_batch", { batch_id, driver_user_id: DRIVER });
  await staff("shop_health", { books: true });
  await staff("browse_shop", { list: "orders" });
  await service("log_position");
  for (
    const sweep of [
      "arrange_history",
      "close_ledgers",
      "expire_cart_reservations",
      "expire_promo_holds",
      "purge_history",
      "purge_idempotency_keys",
    ]
  ) await service(sweep);
});

test("what was changed past the books", async () => {
  const change = `
    alter table interlock.products disable trigger user;
    update interlock.products set available_quantity = available_quantity - 1 where id = '${SALT}';
    alter table interlock.products enable trigger user;
  `;
  await db.query(change);
  await service("audit_inventory");
  const finding_id = await value(
    "select id from interlock.inventory_findings where product_id = $1 and status = 'open'",
    SALT,
  );
  await staff("accept_finding", { finding_id, reason: "broken", name: "Ann" });
  await staff("resolve_finding", { finding_id, reason: "broken" });
});

test("guests, who become somebody", async () => {
  for (const by of ["themselves", "staff"]) {
    const response = await fetch(`${API_URL}/auth/v1/signup`, {
      method: "POST",
      headers: { apikey: ANON_KEY, "content-type": "application/json" },
      body: "{}",
    });
    const { access_token, user } = await response.json();
    const guest = who(access_token);
    await guest("checkout", {
      cart_items: salt(1),
      payment_method: "cash_on_delivery",
    });
    if (by === "staff") {
      await staff("move_orders", { from_user_id: user.id, to_user_id: BUYER });
    } else {
      const { token } = await guest("create_order_transfer");
      await buyer("redeem_order_transfer", { token });
    }
    await service("erase_user", { user_id: user.id });
  }
});

// Last but one: one of them erases the buyer.
test("the examples, sent by everybody", async () => {
  const names = ["BUYER", "DRIVER_A", "CASHIER", "PACKER", "MANAGER", "STAFF"];
  const everybody = names.map((name) => String(people[name]));
  for (const [path, { post }] of Object.entries(document.paths)) {
    const { example } = post.requestBody.content["application/json"];
    for (const token of [...everybody, SERVICE_ROLE_KEY]) {
      await call(token, path, example);
    }
  }
});

test("each answer that the document describes was held against it", () => {
  const described = Object.keys(document.paths).filter((path) =>
    isDescribed(path) && !OF_MANY_SHOPS.includes(path)
  );
  const held = described.filter((path) => answered.has(path));
  assert.deepEqual(held, described);
  const all = Object.keys(document.paths).length;
  console.log(
    `# ${answered.size} answered of ${all}, ${held.length} of them described`,
  );
});
