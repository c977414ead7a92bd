import assert from "node:assert/strict";
import { secondsToWait } from "./upstream.ts";

Deno.test("Retry-After has seconds or a date, and what is neither is not a number", () => {
  assert.equal(secondsToWait(null), undefined);
  assert.equal(secondsToWait("0"), 0);
  assert.equal(secondsToWait("120"), 120);
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  const seconds = secondsToWait(inAMinute) ?? NaN;
  assert.ok(seconds > 58 && seconds <= 60, `${seconds}`);
  assert.equal(secondsToWait("Wed, 21 Oct 2015 07:28:00 GMT"), 0);
  assert.equal(secondsToWait("Wednesday, 21-Oct-15 07:28:00 GMT"), 0);
  for (const text of ["", "-5", "1.5", "1e3", "soon", "Wed, 99 Xyz 2015"]) {
    assert.equal(secondsToWait(text), NaN, text);
  }
});
