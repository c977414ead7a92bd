// When a call is made again, in a time of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InterlockError } from "../dist/index.js";
import { pauseBefore, persist } from "../dist/retry.js";

/** Surroundings whose time passes only while somebody sleeps. */
function virtual() {
  const host = {
    time: 0,
    /** @type {number[]} */
    slept: [],
    now: () => host.time,
    random: () => 0.5,
    sleep(/** @type {number} */ milliseconds) {
      host.slept.push(milliseconds);
      host.time += milliseconds;
      return Promise.resolve();
    },
    online: () => Promise.resolve(),
  };
  return host;
}

/** @param {Partial<import("../dist/error.js").Failure>} more */
const failure = (more = {}) =>
  new InterlockError({
    code: "UPSTREAM_UNAVAILABLE",
    message: "",
    retryable: true,
    ...more,
  });

/**
 * A call that fails with these errors and then succeeds.
 * @param {unknown[]} errors
 */
function failing(...errors) {
  const call = () => {
    call.times += 1;
    const error = errors.shift();
    return error ? Promise.reject(error) : Promise.resolve("done");
  };
  call.times = 0;
  return call;
}

test("what may be sent again is sent again, ever more slowly", async () => {
  const host = virtual();
  const call = failing(failure(), failure(), failure());
  assert.equal(await persist(call, { budgetMs: 30_000 }, host), "done");
  assert.deepEqual(host.slept, [125, 250, 500]);
});

test("Retry-After is waited for, and the jitter on top of it", async () => {
  const host = virtual();
  const call = failing(failure({ retryAfter: 2 }));
  assert.equal(await persist(call, { budgetMs: 30_000 }, host), "done");
  assert.deepEqual(host.slept, [2_125]);
});

test("jitter is full, and no wait grows without end", () => {
  assert.equal(pauseBefore(0, null, 0), 0);
  assert.equal(pauseBefore(0, null, 1), 250);
  assert.equal(pauseBefore(50, null, 1), 8_000);
});

test("what is final is not sent again", async () => {
  const refused = failure({ code: "DRIVER_BUSY", retryable: false });
  for (const error of [refused, new TypeError("a mistake")]) {
    const call = failing(error);
    await assert.rejects(persist(call, { budgetMs: 30_000 }, virtual()), error);
    assert.equal(call.times, 1);
  }
});

test("a wait that the budget does not allow is not begun", async () => {
  const host = virtual();
  const stopped = failure({ code: "TOO_MANY_ATTEMPTS", retryAfter: 600 });
  const call = failing(stopped);
  await assert.rejects(persist(call, { budgetMs: 30_000 }, host), stopped);
  assert.deepEqual(host.slept, []);
});

test("the budget ends a call that has no answer", async () => {
  const never = () => new Promise(() => {});
  await assert.rejects(
    persist(never, { budgetMs: 1 }),
    (error) =>
      error instanceof InterlockError && error.is("NO_ANSWER") &&
      error.retryable,
  );
});

test("its caller may end it, with their own reason", async () => {
  const reason = new Error("the page is left");
  const controller = new AbortController();
  const call = () => {
    controller.abort(reason);
    return new Promise(() => {});
  };
  const { signal } = controller;
  await assert.rejects(persist(call, { budgetMs: 30_000, signal }), reason);
  await assert.rejects(
    persist(failing(), { budgetMs: 30_000, signal }),
    reason,
  );
});

test("nothing is sent while the device is offline", async () => {
  const host = virtual();
  let back = () => {};
  host.online = () => new Promise((resolve) => (back = () => resolve()));
  const call = failing();
  const outcome = persist(call, { budgetMs: 30_000 }, host);
  assert.equal(call.times, 0);
  back();
  assert.equal(await outcome, "done");
});
