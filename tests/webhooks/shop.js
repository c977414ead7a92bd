// The shop's side of webhooks, and receivers that do as they are told.
import assert from "node:assert/strict";
import { createServer } from "node:http";

const { API_URL, ANON_KEY, SERVICE_ROLE_KEY, DELIVER_SECRET } = process.env;

/** An RPC, as the shop. */
export async function rpc(name, args = {}) {
  const response = await fetch(`${API_URL}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: {
      apikey: SERVICE_ROLE_KEY,
      authorization: `Bearer ${SERVICE_ROLE_KEY}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(args),
  });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
}

/** One call of the function. */
export async function deliver(secret = DELIVER_SECRET) {
  const response = await fetch(`${API_URL}/functions/v1/deliver`, {
    method: "POST",
    headers: { apikey: ANON_KEY, "x-deliver-secret": secret },
  });
  return { status: response.status, ...await response.json() };
}

/** A receiver that answers as it is told, as long as a test lasts, and what came to it. */
export async function receiver(t, answer, options = {}) {
  const came = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    came.push({ body, headers: request.headers, method: request.method });
    await answer(response, came.length, body);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${server.address().port}/hook`;
  const { endpoint, secret } = await rpc("create_webhook_endpoint", {
    p_url: url,
    p_event_types: ["customer.changed"],
    ...options,
  });
  t.after(async () => {
    await rpc("delete_webhook_endpoint", { p_endpoint_id: endpoint.id });
    server.closeAllConnections();
    server.close();
  });
  return { came, endpoint, secret, url };
}

/** Somebody is written down, or what is known of them is changed, which is an event. */
export async function happen(id) {
  const { customer } = await rpc("save_customer", {
    p_person: id
      ? { name: crypto.randomUUID() }
      : { name: "Ann", email: `${crypto.randomUUID()}@test.example` },
    ...id ? { p_customer_id: id } : {},
  });
  return customer.id;
}

/** What is on its way to a receiver, or was. */
export const deliveries = async ({ endpoint }, filter = {}) =>
  (await rpc("list_deliveries", { p_endpoint_id: endpoint.id, ...filter }))
    .deliveries;
