// Ids, with and without a platform that has random bytes.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setRandomBytes } from "../dist/index.js";
import { freshId, freshUuid } from "../dist/random.js";

const { crypto } = globalThis;
/** @param {unknown} value */
const platformHas = (value) =>
  Object.defineProperty(globalThis, "crypto", { value, configurable: true });

afterEach(() => {
  setRandomBytes(undefined);
  platformHas(crypto);
});

test("ids are random bytes of the platform", () => {
  platformHas({
    getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.fill(0xab),
  });
  assert.equal(freshId(), "ab".repeat(16));
  assert.equal(freshUuid(), "abababab-abab-4bab-8bab-abababababab");
});

test("or of whoever brings them", () => {
  setRandomBytes((count) => new Uint8Array(count).fill(1));
  assert.equal(freshId(), "01".repeat(16));
});

test("without either they are unique, on one device and among many", (t) => {
  platformHas(undefined);
  const ids = new Set(Array.from({ length: 50_000 }, freshId));
  assert.equal(ids.size, 50_000);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  // On one device even when `Math.random` says the same for ever and the clock stands still.
  t.mock.method(Math, "random", () => 0.5);
  t.mock.method(Date, "now", () => 1_700_000_000_000);
  assert.equal(new Set(Array.from({ length: 4_000 }, freshUuid)).size, 4_000);
});
