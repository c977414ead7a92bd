// Upstash's own client against our front of a Redis, so that the front is what the documentation says.
import assert from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import { Redis } from "@upstash/redis";

const { INTERLOCK_LOCK_URL: url, INTERLOCK_LOCK_TOKEN: token } = process.env;
assert.ok(
  url && token,
  "INTERLOCK_LOCK_URL and INTERLOCK_LOCK_TOKEN are not set",
);
const redis = new Redis({ url, token });

/** As functions/_shared/gate.ts has it. */
const RELEASE =
  'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

test("a lock is taken once, is over in its time, and is ended by nobody else", async () => {
  const key = `interlock:test:${crypto.randomUUID()}`;
  const take = (/** @type {string} */ own, px = 5_000) =>
    redis.set(key, own, { nx: true, px });
  const racers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => take(`racer ${index}`)),
  );
  assert.equal(racers.filter((answer) => answer === "OK").length, 1);
  assert.equal(racers.filter((answer) => answer === null).length, 19);
  const winner = `racer ${racers.indexOf("OK")}`;
  assert.equal(await redis.get(key), winner);
  assert.equal(await redis.eval(RELEASE, [key], ["another one"]), 0);
  assert.equal(await redis.eval(RELEASE, [key], [winner]), 1);
  assert.equal(await take("brief", 30), "OK");
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(await take("next"), "OK");
  assert.equal(await redis.del(key), 1);
});

test("texts, numbers, lists and errors come as they are", async () => {
  const key = `interlock:test:${crypto.randomUUID()}`;
  const told = await redis.pipeline().set(key, "Grüße 😀").get(key).incr(
    `${key}:n`,
  )
    .rpush(`${key}:l`, "a", "b").lrange(`${key}:l`, 0, -1).exec();
  assert.deepEqual(told, ["OK", "Grüße 😀", 1, 2, ["a", "b"]]);
  await assert.rejects(redis.incr(key), /not an integer/);
  assert.equal(await redis.del(key, `${key}:n`, `${key}:l`), 3);
  const stranger = new Redis({ url, token: "another", retry: false });
  await assert.rejects(stranger.get(key), /Unauthorized/);
});
