// The client in an app of React Native: bundled by Metro, in an engine that has what a phone has, and nothing else.
import { test } from "node:test";
import vm from "node:vm";
import { bundle } from "./native/bundle.js";
import { expect } from "./native/expected.js";

/**
 * Runs a bundle where there is what ECMAScript says, timers, a console, and what an app adds: a URL.
 * @param {string} code
 * @param {Record<string, unknown>} more
 */
function run(code, more = {}) {
  return new Promise((resolve, reject) => {
    const context = vm.createContext({
      told: (/** @type {string} */ text) => resolve(JSON.parse(text)),
      setTimeout,
      clearTimeout,
      setInterval,
      clearInterval,
      console,
      URL,
      URLSearchParams,
      ...more,
    });
    try {
      vm.runInContext(code, context);
    } catch (error) {
      reject(error);
    }
  });
}

const app = await bundle("./app.js");

test("an app of React Native buys, is refused, tries again, and gives up", async () => {
  expect(await run(app));
});
