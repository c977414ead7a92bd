// What CRMs are told, through the function `deliver`: the stand-in for Alpine IQ, and any other by a mapping.
import assert from "node:assert/strict";
import { after, test } from "node:test";

const {
  API_URL,
  ANON_KEY,
  SERVICE_ROLE_KEY,
  DELIVER_SECRET,
  ALPINE_IQ_API_URL,
  ALPINE_IQ_API_KEY,
} = process.env;

async function rpc(name, args = {}) {
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

async function deliver() {
  const response = await fetch(`${API_URL}/functions/v1/deliver`, {
    method: "POST",
    headers: { apikey: ANON_KEY, "x-deliver-secret": DELIVER_SECRET },
  });
  assert.equal(response.status, 200, await response.text());
}

const told = async () =>
  await (await fetch(`${ALPINE_IQ_API_URL}/stand-in/crm`)).json();

after(() => rpc("set_crm_settings", { p_active: false }));
after(() => rpc("set_crm_mappings", { p_mappings: [] }));

test("a customer is told of, and not one who does not want it", async () => {
  const { crm } = await rpc("set_crm_settings", {
    p_account: "4711",
    p_active: true,
  });
  const save = async (marketing) => {
    const email = `${crypto.randomUUID()}@test.example`;
    const { customer } = await rpc("save_customer", {
      p_person: { name: "Ann Lee", email, marketing },
    });
    return { id: customer.id, email };
  };
  const ann = await save(true);
  const bob = await save(false);
  await deliver();
  const own = (await told()).filter(({ body }) =>
    [ann.id, bob.id].includes(body.pos_user)
  );
  assert.deepEqual(own, [{
    call: "createUpdateMember",
    account: "4711",
    body: {
      email: ann.email,
      pos_user: ann.id,
      firstName: "Ann",
      lastName: "Lee",
    },
  }]);
  const { deliveries } = await rpc("list_deliveries", {
    p_endpoint_id: crm.endpoint_id,
  });
  const of = ({ id }) => deliveries.find(({ subject }) => subject === id);
  assert.equal(of(ann).state, "delivered");
  assert.equal(of(bob).state, "skipped");
});

test("any other CRM is told by the shop's mapping, in the fields of its API", async () => {
  const { crm } = await rpc("set_crm_mappings", {
    p_mappings: [{
      event_type: "customer.changed",
      method: "PUT",
      path: "/v2/contacts/{{customer.email}}",
      body: {
        external_id: "{{customer.id}}",
        properties: {
          fullName: "{{customer.first_name}} {{customer.last_name}}",
          phone: "{{customer.phone}}",
          source: "shop",
        },
      },
    }],
    p_active: true,
  });
  const save = async (marketing) => {
    const email = `a+b${crypto.randomUUID()}@test.example`;
    const { customer } = await rpc("save_customer", {
      p_person: { name: "Ann Lee", email, marketing },
    });
    return { id: customer.id, email };
  };
  const ann = await save(true);
  const bob = await save(false);
  await deliver();
  const own = (await told()).filter(({ body }) =>
    [ann.id, bob.id].includes(body.external_id)
  );
  assert.deepEqual(own.map(({ key: _, ...call }) => call), [{
    method: "PUT",
    path: `/crm/v2/contacts/${encodeURIComponent(ann.email)}`,
    body: {
      external_id: ann.id,
      properties: { fullName: "Ann Lee", source: "shop" },
    },
  }]);
  assert.match(own[0].key, /^[0-9a-f-]{36}\.[0-9a-f-]{36}$/);
  const { deliveries } = await rpc("list_deliveries", {
    p_endpoint_id: crm.endpoint_id,
  });
  const of = ({ id }) => deliveries.find(({ subject }) => subject === id);
  assert.equal(of(ann).state, "delivered");
  assert.equal(of(bob).state, "skipped");
});

test("the stand-in takes nothing without its key", async () => {
  const call = (key, path) =>
    fetch(`${ALPINE_IQ_API_URL}/api/v1.1/${path}/4711`, {
      method: "POST",
      headers: { "x-apikey": key },
      body: "{}",
    });
  assert.equal((await call("a guess", "createUpdateSale")).status, 401);
  assert.equal((await call(ALPINE_IQ_API_KEY, "else")).status, 400);
});
