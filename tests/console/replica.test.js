// The console beside a replica: lists are read there, and what was just done is never missing in them.
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, test } from "node:test";
import pg from "pg";
import { act, asStaff } from "./page.js";

const {
  DB_URL: database,
  INTERLOCK_REPLICA_DB_URL: replica,
  INTERLOCK_REPLICA_REST_URL: rest,
} = process.env;
if (!database || !replica || !rest) {
  throw new Error("the variables of a stack with a replica are not set");
}

const BATCH = "ba7c4000-0000-4000-8000-000000000005";
const DRIVER = "a0000000-0000-4000-8000-00000000000b";

const db = new pg.Client(database);
// Who may say when it replays.
const admin = new URL(replica);
admin.username = "supabase_admin";
const copy = new pg.Client(admin.href);
before(async () => {
  await db.connect();
  await copy.connect();
  // A run that has failed may have left it so.
  await copy.query("select pg_wal_replay_resume()");
});
after(() => Promise.all([db.end(), copy.end()]));

/** Waits until the replica has all that the primary has now. */
async function follow() {
  // Its commit sends what came before it.
  const { rows: [{ at }] } = await db.query(
    "select pg_logical_emit_message(true, 'test', '') as at",
  );
  for (let there = false; !there;) {
    const { rows } = await copy.query(
      "select pg_last_wal_replay_lsn() >= $1::pg_lsn as there",
      [at],
    );
    there = rows[0].there;
  }
}

/** Has the replica replay nothing more. */
async function pause() {
  await copy.query("select pg_wal_replay_pause()");
  for (let state = ""; state !== "paused";) {
    const { rows } = await copy.query(
      "select pg_get_wal_replay_pause_state() as state",
    );
    state = rows[0].state;
  }
}

/**
 * Which servers a page asks for its lists.
 * @param {import("playwright-core").Page} page
 */
function listen(page) {
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/browse_shop")) {
      asked.push(
        request.url().startsWith(`${rest}/`) ? "replica" : "primary",
      );
    }
  });
  return () => asked.splice(0);
}

/**
 * The list of that name, shown anew without loading the page anew.
 * @param {import("playwright-core").Page} page
 * @param {string} list
 */
async function show(page, list) {
  await page.click("nav a[href='#/']");
  await page.waitForSelector("[data-ready] .parts");
  await page.click(`nav a[href='#/${list}']`);
  await page.waitForSelector("[data-ready] .rows li");
  return await page.textContent(".rows") ?? "";
}

test("lists are read at the replica, unless it lacks what was done here or does not answer", async () => {
  await follow();
  const { context, page, errors } = await asStaff("#/");
  const asked = listen(page);
  await show(page, "batches");
  assert.deepEqual(asked(), ["replica"]);

  // What others do it may not have yet.
  await pause();
  await db.query(
    "update interlock.batches set reference = 'seen at the primary' where id = $1",
    [BATCH],
  );
  assert.doesNotMatch(await show(page, "batches"), /seen at the primary/);
  assert.deepEqual(asked(), ["replica"]);

  // What is done here is there at once, and for as long as the replica does not have it, the primary is asked.
  await page.fill("#search", BATCH);
  await page.keyboard.press("Enter");
  await page.waitForSelector("[data-ready] .rows li:only-child");
  asked();
  await act(page, "assign_batch", async (dialog) => {
    await dialog.locator("option").first().waitFor({ state: "attached" });
    await dialog.locator("select").selectOption(DRIVER);
    await dialog.locator("input").fill("the other one is ill");
  });
  assert.match(await page.textContent(".rows") ?? "", /seen at the primary/);
  assert.equal(asked().at(-1), "primary");
  assert.match(await show(page, "batches"), /seen at the primary/);
  assert.deepEqual(asked(), ["primary"]);

  await copy.query("select pg_wal_replay_resume()");
  await follow();
  assert.match(await show(page, "batches"), /seen at the primary/);
  assert.deepEqual(asked(), ["replica"]);
  assert.deepEqual(errors, []);

  // One that cannot be reached is asked once, and then left alone.
  await page.route(`${rest}/**`, (route) => route.abort());
  assert.match(await show(page, "batches"), /seen at the primary/);
  assert.deepEqual(asked(), ["replica", "primary"]);
  await show(page, "batches");
  assert.deepEqual(asked(), ["primary"]);
  await context.close();
});
