// Whatever a gate does, a request has its answer; and what a gate is for.
import assert from "node:assert/strict";
import * as checkout from "../checkout/core.js";
import { gateOf } from "./gate.ts";
import { type Gate, serve } from "./serve.ts";
import { captured, json, post, upstream } from "./testing.ts";

const HOT = "9d0d0000-0000-4000-8000-000000000001";
const OTHER = "9d0d0000-0000-4000-8000-000000000002";

const cart = (...ids: string[]) =>
  JSON.stringify({
    cart_items: ids.map((product_id) => ({ product_id, quantity: 1 })),
  });

/** A Redis of one command at a time, with what it was asked. */
function redis() {
  const held = new Map<string, string>();
  const asked: string[][] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      assert.equal(request.headers.get("authorization"), "Bearer t0ken");
      const command: string[] = (await request.json()).map(String);
      asked.push(command);
      const [name, key, value] = command;
      if (name === "SET") {
        if (held.has(key!)) return Response.json({ result: null });
        held.set(key!, value!);
        return Response.json({ result: "OK" });
      }
      const [, , , of, own] = command;
      const ours = held.get(of!) === own;
      if (ours) held.delete(of!);
      return Response.json({ result: ours ? 1 : 0 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { held, asked, url, close: () => server.shutdown() };
}

function gateAt(url: string, products = HOT): Gate {
  const gate = gateOf({ url, token: "t0ken", products });
  assert.ok(gate);
  return gate;
}

const until = async (truth: () => boolean) => {
  for (let tries = 0; tries < 200 && !truth(); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(truth());
};

Deno.test("without settings there is no gate, and unusable ones are told once", async () => {
  const none = { url: null, token: null, products: HOT };
  assert.equal(gateOf(none), undefined);
  const lines = await captured(() => {
    for (
      const wrong of [
        { url: "redis://h", token: "t", products: HOT },
        { url: "http://h", token: null, products: HOT },
        { url: "http://h", token: "a\nb", products: HOT },
        { url: "http://h", token: "t", products: `${HOT},x` },
      ]
    ) assert.equal(gateOf(wrong), undefined);
    return Promise.resolve();
  });
  assert.equal(lines.length, 4);
  assert.ok(lines.every((line) => line.includes("INTERLOCK_LOCK_")));
  assert.equal(
    gateOf({ url: "http://h", token: "t", products: null }),
    undefined,
  );
});

Deno.test("one at a time passes, and gives back what is its own", async () => {
  const store = redis();
  const gate = gateAt(store.url, `${OTHER.toUpperCase()}, ${HOT}`);
  assert.equal(await gate(cart(crypto.randomUUID())), undefined);
  assert.equal(store.asked.length, 0, "what is not hot asks nobody");

  const first = await gate(cart(OTHER, HOT));
  assert.deepEqual(
    [...store.held.keys()],
    [HOT, OTHER].map((id) => `interlock:${id}`),
  );
  let passed = false;
  const second = gate(cart(HOT)).then((release) => {
    passed = true;
    return release;
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.ok(!passed, "it waits");
  first!();
  const release = await second;
  assert.ok(release);
  // As if its time had been over, and another one had it.
  store.held.set(`interlock:${HOT}`, "another one's");
  release();
  await until(() =>
    store.asked.filter(([name]) => name === "EVAL").length === 3
  );
  assert.deepEqual([...store.held.values()], ["another one's"]);
  const set = store.asked[0]!;
  assert.deepEqual([set[0], set[3], set[4]], ["SET", "NX", "PX"]);
  await store.close();
});

Deno.test("a lock that nobody gives back is waited for, but not for long", async () => {
  const store = redis();
  store.held.set(`interlock:${HOT}`, "gone");
  const started = performance.now();
  assert.equal(await gateAt(store.url)(cart(HOT)), undefined);
  const took = performance.now() - started;
  assert.ok(took >= 1_990 && took < 4_000, `${took} ms`);
  await store.close();
});

Deno.test("whatever the gate does, the answer is the database's, and it is left alone for a while", async () => {
  const database = upstream(() => json('{"success": true}'));
  const settings = {
    url: database.url,
    key: "sb_publishable_test",
    timeoutMs: "5000",
  };
  let asked = 0;
  const answers: [string, () => Response | Promise<Response>][] = [
    ["nonsense", () => new Response("<html>")],
    ["another type", () => Response.json({ result: { ok: true } })],
    ["no result", () => Response.json({ error: "ERR" })],
    ["an error", () => new Response("{}", { status: 500 })],
    [
      "a refusal of the token",
      () => Response.json({ error: "WRONGPASS" }, { status: 401 }),
    ],
    ["elsewhere", () => Response.redirect("http://127.0.0.1:9/", 307)],
    ["a flood", () => new Response(`{"result":"${"x".repeat(100_000)}"}`)],
    [
      "slow",
      () =>
        new Promise((resolve) =>
          setTimeout(() => resolve(Response.json({ result: "OK" })), 400)
        ),
    ],
    ["a liar: yes to everybody", () => Response.json({ result: "OK" })],
  ];
  const logs = await captured(async () => {
    for (const [what, answer] of answers) {
      asked = 0;
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => {
          await request.text();
          asked += 1;
          return await answer();
        },
      );
      const gate = gateAt(`http://127.0.0.1:${server.addr.port}`);
      const handler = serve(checkout, settings, gate);
      const started = performance.now();
      for (const _ of [1, 2]) {
        const response = await handler(post(cart(HOT)));
        assert.equal(response.status, 200, what);
        assert.equal(await response.text(), '{"success": true}');
      }
      assert.ok(performance.now() - started < 1_500, what);
      // Once, and what gives back; then it rests. The liar is asked each time.
      await new Promise((resolve) => setTimeout(resolve, 10));
      const most = what.startsWith("a liar") ? 4 : 2;
      assert.ok(asked >= 1 && asked <= most, `${what}: ${asked}`);
      await server.shutdown();
    }
    // Nobody listens.
    const gate = gateAt("http://127.0.0.1:9");
    const response = await serve(checkout, settings, gate)(post(cart(HOT)));
    assert.equal(response.status, 200);
    await response.body?.cancel();
  });
  assert.ok(logs.length > 0);
  await database.close();
});

Deno.test("what is refused before the database is asked takes nothing, and what fails gives back", async () => {
  const store = redis();
  const database = upstream(() => json("{}", 500));
  const settings = {
    url: database.url,
    key: "sb_publishable_test",
    timeoutMs: "5000",
  };
  const handler = serve(checkout, settings, gateAt(store.url));
  await captured(async () => {
    const invalid = await handler(post(`{"cart_items":"${HOT}"}`));
    assert.equal(invalid.status, 400);
    assert.equal(store.asked.length, 0);
    const failed = await handler(post(cart(HOT)));
    assert.equal(failed.status, 500);
    await until(() => store.held.size === 0 && store.asked.length === 2);
  });
  await database.close();
  await store.close();
});
