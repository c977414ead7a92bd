// What the app of this folder tells.
import assert from "node:assert/strict";

/** @param {any} outcomes */
export function expect(outcomes) {
  const { key, ...bought } = outcomes.bought;
  assert.match(key, /^[0-9a-f]{32}$/);
  const { shift, ...sold } = outcomes.sold;
  assert.match(shift, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const givenUp = "AbortError: The call was given up.";
  assert.deepEqual({ ...outcomes, bought, sold }, {
    bought: { order: "o", differ: true },
    refused: "DRIVER_BUSY",
    refusedByTheDatabase: "ORDER_NOT_CANCELLABLE",
    again: { order: "o", times: 2, same: true },
    unanswered: "NO_ANSWER",
    left: [givenUp, givenUp],
    sold: { state: "sold" },
    packed: "NO_UNITS_TO_PACK",
    injected: "07".repeat(16),
  });
}
