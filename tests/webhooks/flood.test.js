// Many events through several workers while all goes wrong that can: nothing is lost, nothing is marked that was not
// accepted, and a subject keeps its order where an endpoint asks for it. FLOOD_EVENTS says how many events (600).
import assert from "node:assert/strict";
import { test } from "node:test";
import { deliver, deliveries, happen, receiver, rpc } from "./shop.js";

const { DELIVER_SECRET } = process.env;
const EVENTS = Number(process.env.FLOOD_EVENTS ?? 600);
const SUBJECTS = 20;
const WORKERS = 4;

/** Of each kind of failure there are some hundred at most, however many events there are. */
const rarely = (each) => Math.max(each, Math.ceil(EVENTS / 400));

/** A receiver that keeps what it has accepted, and refuses some of it at first. */
async function keeper(t, refuse, options) {
  const tries = new Map();
  const accepted = [];
  const open = new Set();
  const twice = [];
  const shop = await receiver(t, (response, _, body) => {
    const { id, subject, position } = JSON.parse(body);
    const nth = (tries.get(id) ?? 0) + 1;
    tries.set(id, nth);
    if (open.has(id)) twice.push(id);
    open.add(id);
    response.on("close", () => open.delete(id));
    const refusal = refuse(nth, tries.size);
    if (refusal === "lose the answer") {
      accepted.push({ id, subject, position });
      return response.destroy();
    }
    if (refusal === "reset") return response.destroy();
    // Until whoever sends it gives it up.
    if (refusal === "say nothing") return;
    if (refusal) return response.writeHead(refusal).end();
    accepted.push({ id, subject, position });
    response.end();
  }, options);
  return { ...shop, accepted, twice };
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
  const statuses = [500, 503, 429, 404, 308];
  const shops = await Promise.all([
    keeper(t, () => null),
    // A tenth of what is refused is refused a second time.
    keeper(t, (nth, known) => {
      const each = rarely(50) * 10 ** (nth - 1);
      return nth < 3 && known % each === 0
        ? statuses[(known / each) % 5]
        : null;
    }),
    keeper(t, first(rarely(60), "reset"), { p_ordered: true }),
    keeper(t, first(rarely(70), "lose the answer")),
    keeper(t, first(10 * rarely(50), "say nothing")),
  ]);
  const [steady, , ordered] = shops;
  const nowhere = await rpc("create_webhook_endpoint", {
    p_url: "http://nobody.invalid/",
    p_event_types: ["customer.changed"],
  });
  t.after(() =>
    rpc("delete_webhook_endpoint", { p_endpoint_id: nowhere.endpoint.id })
  );

  // Some are killed before they send, some before they have said what came of it.
  const claim = async () =>
    (await rpc("claim_deliveries", { p_secret: DELIVER_SECRET, p_limit: 3 }))
      .deliveries;
  let repeated = 0;
  const killed = async () => {
    await claim();
    for (const { url, headers, body } of await claim()) {
      await fetch(url, { method: "POST", headers, body }).catch(() => null);
      repeated += 1;
    }
  };

  // Every subject by one hand, so its order is known.
  const happened = [];
  let done = false;
  const hands = Array.from({ length: SUBJECTS }, async (_, hand) => {
    let id;
    for (let n = hand; n < EVENTS; n += SUBJECTS) {
      id = await happen(id);
      happened.push(id);
      if (happened.length % (EVENTS / 10) === 0) await killed();
    }
  });

  const workers = Array.from({ length: WORKERS }, async () => {
    while (!done) {
      const { claimed, status } = await deliver();
      assert.ok(status === 200 || status === 503, "or it is to come again");
      if (!claimed) await new Promise((next) => setTimeout(next, 250));
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
    assert.deepEqual(shop.twice, [], "no two send one at the same time");
    for (const { event_id, state } of all) {
      assert.equal(state, "delivered");
      assert.ok(ids.has(event_id), "what is marked was accepted");
    }
  }
  const last = new Map();
  const seen = new Set();
  for (const { id, subject, position } of ordered.accepted) {
    if (seen.has(id)) continue;
    seen.add(id);
    assert.ok(!(last.get(subject) > position), "a subject keeps its order");
    last.set(subject, position);
  }
  assert.ok(
    steady.accepted.length <= EVENTS + repeated,
    `${steady.accepted.length} came: only what a killed worker had sent comes twice`,
  );
  const lost = await everything({ endpoint: nowhere.endpoint });
  assert.equal(lost.length, EVENTS, "who cannot be reached loses nothing");
  for (const { state, log } of lost) {
    assert.equal(state, "pending");
    for (const { status } of log) assert.equal(status, null);
  }
});
