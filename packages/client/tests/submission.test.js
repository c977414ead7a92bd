// The life of a key.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InterlockError, submission } from "../dist/index.js";
import { store } from "./store.js";

/** @param {"NO_ANSWER" | "INSUFFICIENT_INVENTORY" | "IDEMPOTENCY_KEY_REUSED"} code */
const failing = (code) => () =>
  Promise.reject(new InterlockError({ code, message: "", retryable: false }));

/**
 * The key that a request goes under.
 * @param {ReturnType<typeof store>} kept
 * @param {unknown} request
 */
async function keyOf(kept, request, fails = failing("NO_ANSWER")) {
  let found = "";
  const send = (/** @type {string} */ key) => {
    found = key;
    return fails();
  };
  await submission("cart", kept).run(request, send).catch(() => {});
  return found;
}

test("a key stays until the submission has succeeded, over reloads too", async () => {
  const kept = store();
  const key = await keyOf(kept, { a: 1, b: [2] });
  assert.match(key, /^[0-9a-f]{32}$/);
  // A reload leaves nothing but the store.
  assert.deepEqual(await submission("cart", kept).pending(), { a: 1, b: [2] });
  assert.equal(await keyOf(kept, { b: [2], a: 1 }), key);
  const answer = await submission("cart", kept)
    .run({ a: 1, b: [2] }, (again) => Promise.resolve(again));
  assert.equal(answer, key);
  assert.equal(await submission("cart", kept).pending(), null);
  assert.notEqual(await keyOf(kept, { a: 1, b: [2] }), key);
});

test("a changed request gets a new key", async () => {
  const kept = store();
  assert.notEqual(await keyOf(kept, { a: 1 }), await keyOf(kept, { a: 2 }));
});

test("a refusal keeps the key, until somebody gives the submission up", async () => {
  const kept = store();
  const key = await keyOf(kept, 1, failing("INSUFFICIENT_INVENTORY"));
  assert.equal(await keyOf(kept, 1, failing("IDEMPOTENCY_KEY_REUSED")), key);
  assert.equal(await keyOf(kept, 1), key);
  await submission("cart", kept).forget();
  assert.equal(kept.items.size, 0);
  assert.notEqual(await keyOf(kept, 1), key);
});

test("requests of one identity are one submission", async () => {
  const kept = store();
  /** @type {string[]} */
  const keys = [];
  const run = (
    /** @type {unknown} */ request,
    /** @type {unknown} */ identity,
  ) =>
    submission("cart", kept).run(request, (key) => {
      keys.push(key);
      return failing("NO_ANSWER")();
    }, identity).catch(() => {});
  const first = run({ lines: [1, 2] }, "same");
  const second = run({ lines: [2, 1] }, "same");
  await Promise.all([first, second]);
  await run({ lines: [2, 1] }, "same");
  await run({ lines: [2, 1] }, "another");
  assert.equal(keys.length, 3);
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[0], keys[2]);
  assert.deepEqual(await submission("cart", kept).pending(), { lines: [2, 1] });
});

test("a tab that was open before sends what another has done under its key, once", async () => {
  const kept = store();
  // Another tab has the same store, and modules of its own.
  const modules = "../dist/submission.js?other-tab";
  const other = await import(modules);
  const buy = (/** @type {typeof submission} */ tab, request = "cart") =>
    tab("cart", kept).run(request, (key) => Promise.resolve(key));
  const key = await buy(submission);
  assert.equal(await buy(other.submission), key, "it has not heard of it");
  const again = await buy(other.submission);
  assert.notEqual(again, key, "it has by now, and means another");
  assert.equal(await buy(submission), again, "of which this one has not heard");
  assert.notEqual(await buy(submission, "another cart"), again);

  // A page that is opened after the order is there begins anew.
  const done = JSON.parse(kept.items.get("interlock:cart") ?? "null");
  assert.ok(done.done >= performance.timeOrigin);
  const earlier = { ...done, key: "earlier", done: performance.timeOrigin - 1 };
  kept.setItem("interlock:cart", JSON.stringify(earlier));
  assert.notEqual(await buy(submission, "another cart"), "earlier");
});

test("two clicks are one request and get one promise", async () => {
  const kept = store();
  let times = 0;
  const send = () => Promise.resolve(times += 1);
  const first = submission("cart", kept).run("buy", send);
  const second = submission("cart", kept).run("buy", send);
  assert.equal(first, second);
  await assert.rejects(
    submission("cart", kept).run("buy something else", send),
    (error) => error instanceof InterlockError && error.is("SUBMISSION_BUSY"),
  );
  await first;
  assert.equal(times, 1);
  assert.equal(await submission("cart", kept).run("buy", send), 2);
});

test("another tab's key is left alone", async () => {
  const kept = store();
  const theirs = JSON.stringify({ key: "theirs", request: '"other"' });
  await submission("cart", kept).run("buy", () => {
    kept.setItem("interlock:cart", theirs);
    return Promise.resolve();
  });
  assert.equal(kept.getItem("interlock:cart"), theirs);
});

test("a store that answers later will do, and one that holds rubbish", async () => {
  const kept = store();
  const slow = {
    getItem: (/** @type {string} */ name) =>
      Promise.resolve(kept.getItem(name)),
    setItem: (/** @type {string} */ name, /** @type {string} */ value) =>
      Promise.resolve(kept.setItem(name, value)),
    removeItem: (/** @type {string} */ name) =>
      Promise.resolve(kept.removeItem(name)),
  };
  kept.setItem("interlock:cart", "{");
  let sent = "";
  const send = (/** @type {string} */ key) => {
    sent = kept.getItem("interlock:cart") ?? "";
    return Promise.resolve(key);
  };
  const key = await submission("cart", slow).run("buy", send);
  assert.equal(JSON.parse(sent).key, key, "it is stored before it is sent");
});

test("without a page no two submissions share a memory", async () => {
  const send = () => new Promise((resolve) => setTimeout(resolve, 0, {}));
  const one = submission("cart").run("buy", send);
  const other = submission("cart").run("buy", send);
  assert.notEqual(one, other);
  await Promise.all([one, other]);
});
