import assert from "node:assert/strict";
import { deadline, nowMs, sleep, within } from "./time.ts";

Deno.test("each deadline is called at its time, whatever their order", async () => {
  const called: string[] = [];
  const startedMs = nowMs();
  const note = (name: string, due: number) => () => {
    assert.ok(nowMs() - startedMs >= due, `${name} is early`);
    called.push(name);
  };
  deadline(60, note("third", 60));
  deadline(20, note("first", 20));
  const met = deadline(30, note("never", 30));
  deadline(40, note("second", 40));
  met();
  met();
  await sleep(120);
  assert.deepEqual(called, ["first", "second", "third"]);
  // Deno fails a test that leaves a timer behind.
  deadline(60_000, note("never", 0))();
});

Deno.test("what takes too long is given up, and nothing else is", async () => {
  const never = new Promise<string>(() => {});
  const results = await Promise.all([
    within(20, never, "late"),
    within(1_000, Promise.resolve("in time"), "late"),
    within(1_000, sleep(40).then(() => "in time"), "late"),
  ]);
  assert.deepEqual(results, ["late", "in time", "in time"]);
});
