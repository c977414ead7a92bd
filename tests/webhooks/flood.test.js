// Many events through several workers while all goes wrong that can: nothing is lost, nothing is marked that was not
// accepted, and a subject keeps its order where an endpoint asks for it. FLOOD_EVENTS says how many events (600).
import assert from "node:assert/strict";
import { test } from "node:test";
import { deliver, deliveries, happen, receiver, rpc } from "./shop.js";

const { DELIVER_SECRET } = process.env;
const EVENTS = Number(process.env.FLOOD_EVENTS ?? 600);
const SUBJECTS = 20;
const WORKERS = 4;

/** A receiver that keeps what it has accepted, and refuses some of it at first. */
async function keeper(t, refuse, options) {
  const tries = new Map();
  const accepted = [];
  const shop = await receiver(t, (response, _, body) => {
    const { id, subject, timestamp } = JSON.parse(body);
    const nth = (tries.get(id) ?? 0) + 1;
    tries.set(id, nth);
    const refusal = refuse(nth, tries.size);
    if (refusal === "lose the answer") {
      accepted.push({ id, subject, timestamp });
      return response.destroy();
    }
    if (refusal === "reset") return response.destroy();
    if (refusal) return response.writeHead(refusal).end();
    accepted.push({ id, subject, timestamp });
    response.end();
  }, options);
  return { ...shop, accepted };
}

/** All that there is of one, page by page. */
async function everything(shop, filter) {
  const all = [];
  for (;;) {
    const page = await deliveries(shop, {
      ...filter,
      p_limit: 100,
      p_before: all.at(-1)?.id,
    });
    all.push(...page);
    if (page.length < 100) return all;
  }
}

test("nothing is lost, and nothing is marked that was not accepted", async (t) => {
  const first = (each, what) => (nth, known) =>
    nth === 1 && known % each === 0 ? what : null;
  const shops = await Promise.all([
    keeper(t, () => null),
    keeper(t, first(50, 503)),
    keeper(t, first(60, "reset"), { p_ordered: true }),
    keeper(t, first(70, "lose the answer")),
  ]);
  const [steady, , ordered] = shops;
  const nowhere = await rpc("create_webhook_endpoint", {
    p_url: "http://nobody.invalid/",
    p_event_types: ["customer.changed"],
  });
  t.after(() =>
    rpc("delete_webhook_endpoint", { p_endpoint_id: nowhere.endpoint.id })
  );

  // Every subject by one hand, so its order is known.
  const happened = [];
  let done = false;
  const hands = Array.from({ length: SUBJECTS }, async (_, hand) => {
    let id;
    for (let n = hand; n < EVENTS; n += SUBJECTS) {
      id = await happen(id);
      happened.push(id);
    }
  });

  // One that is killed before it sends, one that is killed before it has said what came of it.
  const claim = async () =>
    (await rpc("claim_deliveries", { p_secret: DELIVER_SECRET, p_limit: 3 }))
      .deliveries;
  const killed = async () => {
    await claim();
    for (const { url, headers, body } of await claim()) {
      await fetch(url, { method: "POST", headers, body }).catch(() => null);
    }
  };

  const workers = Array.from({ length: WORKERS }, async () => {
    while (!done) {
      const { claimed, status } = await deliver();
      assert.equal(status, 200);
      if (claimed === 0) await new Promise((next) => setTimeout(next, 250));
    }
  });
  const finish = (async () => {
    await killed();
    await Promise.all(hands);
    await killed();
    for (const shop of shops) {
      while ((await deliveries(shop, { p_state: "pending" })).length > 0) {
        await new Promise((next) => setTimeout(next, 250));
      }
    }
  })();
  await Promise.race([
    finish.finally(() => done = true),
    Promise.all(workers),
  ]);
  await Promise.all([finish, ...workers]);

  assert.equal(happened.length, EVENTS);
  for (const shop of shops) {
    const all = await everything(shop);
    const ids = new Set(shop.accepted.map(({ id }) => id));
    assert.equal(all.length, EVENTS, "each event is a delivery");
    assert.equal(ids.size, EVENTS, "each was accepted");
    for (const { event_id, state } of all) {
      assert.equal(state, "delivered");
      assert.ok(ids.has(event_id), "what is marked was accepted");
    }
  }
  const last = new Map();
  const seen = new Set();
  for (const { id, subject, timestamp } of ordered.accepted) {
    if (seen.has(id)) continue;
    seen.add(id);
    assert.ok(!(last.get(subject) > timestamp), "a subject keeps its order");
    last.set(subject, timestamp);
  }
  assert.ok(
    steady.accepted.length < EVENTS + 7,
    `${steady.accepted.length} came: only what a killed worker had sent comes twice`,
  );
  const lost = await everything({ endpoint: nowhere.endpoint });
  assert.equal(lost.length, EVENTS, "who cannot be reached loses nothing");
  for (const { state, log } of lost) {
    assert.equal(state, "pending");
    for (const { status } of log) assert.equal(status, null);
  }
});
