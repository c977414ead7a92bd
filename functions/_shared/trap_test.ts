// What happens after the WASM instance has broken down, with a build that has fault points in it
// (`cargo xtask build --features failpoint`).
import assert from "node:assert/strict";
import * as core from "../../target/failpoint/claim-route/core.js";
import {
  captured,
  claim,
  functionAt,
  json,
  OK,
  post,
  upstream,
} from "./testing.ts";

/** What is asked for, and what is thrown then. */
const THROWN = {
  "failpoint:panic": "RuntimeError",
  "failpoint:overflow": "RangeError",
  "failpoint:exception": "SyntaxError",
};
const FAULTS = Object.keys(THROWN);

Deno.test("a trap costs its own request and no other", async () => {
  const database = upstream(() => json(OK));
  const handler = functionAt(core, database.url);
  for (const [fault, thrown] of Object.entries(THROWN)) {
    const lines = await captured(async () => {
      const broken = await handler(post(fault, { "x-request-id": "mine" }));
      assert.equal(broken.status, 500, fault);
      const body = await broken.json();
      assert.equal(body.error, "INTERNAL", fault);
      assert.equal(body.request_id, "mine", fault);
      assert.equal((await handler(claim())).status, 200, fault);
    });
    assert.equal(lines.length, 2, `a line for each request: ${lines}`);
    const { cause, cause_code } = JSON.parse(lines[0]);
    assert.deepEqual([cause, cause_code], ["trap", thrown]);
  }
  await database.close();
});

Deno.test("requests in flight survive the traps of others", async () => {
  // The claims are under way in the database when the instance breaks down.
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const claims = 200;
  let waiting = 0;
  const database = upstream(async () => {
    waiting += 1;
    if (waiting === claims) arrived.resolve();
    await release.promise;
    return json(OK);
  });
  const handler = functionAt(core, database.url, { timeoutMs: "60000" });
  await captured(async () => {
    const inFlight = Array.from({ length: claims }, () => handler(claim()));
    await arrived.promise;
    const broken = await Promise.all(
      Array.from(
        { length: 100 },
        (_, index) => handler(post(FAULTS[index % FAULTS.length])),
      ),
    );
    assert.ok(broken.every(({ status }) => status === 500));
    release.resolve();
    const statuses = (await Promise.all(inFlight)).map(({ status }) => status);
    assert.deepEqual(statuses, Array(claims).fill(200));
  });
  await database.close();
});
