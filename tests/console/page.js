// What the tests of the console share: a browser, a page in it, and whether everybody can use it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import process from "node:process";
import { after } from "node:test";
import { chromium } from "playwright-core";

const given = process.env.CONSOLE_URL;
const executablePath = process.env.CHROMIUM_PATH;
if (!given || !executablePath) {
  throw new Error(
    "CONSOLE_URL or CHROMIUM_PATH is not set: run `cargo xtask test --only console`",
  );
}
/** Where the stack serves the console. */
export const url = given;

const axe = await readFile(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

/** All that a visitor loads, compressed, may weigh so many bytes. */
export const BUDGET = 400_000;

export const browser = await chromium.launch({
  executablePath,
  // Its sandbox needs rights that a container seldom gives; the pages are our own.
  args: ["--no-sandbox"],
  env: {
    ...process.env,
    LD_LIBRARY_PATH: process.env.CHROMIUM_LIBRARIES ?? "",
  },
});
after(() => browser.close());

/**
 * The page in a browser of its own, and what went wrong in it.
 * @param {string} link
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {string} base
 */
export async function visit(link = "", options = {}, base = url) {
  const context = await browser.newContext({
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  /** @type {string[]} */
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // A refusal is an answer; Chromium writes each of them down as an error of the page.
    const refusal = /the server responded with a status of (400|402|409)/;
    if (message.type() === "error" && !refusal.test(message.text())) {
      errors.push(message.text());
    }
  });
  await page.goto(`${base}/${link}`);
  await page.waitForSelector("[data-ready]");
  return { context, page, errors };
}

/** @param {import("playwright-core").Page} page */
export async function accessible(page) {
  await page.evaluate(axe);
  const violations = await page.evaluate(
    "axe.run().then((found) => found.violations.map((rule) => rule.id + ': ' + rule.nodes.map((node) => node.html).join(' ')))",
  );
  assert.deepEqual(violations, []);
}

/** Of everybody whom the seed knows. */
export const PASSWORD = "interlock";

/**
 * @param {import("playwright-core").Page} page
 * @param {string} name
 * @param {string} [password]
 */
export async function signIn(page, name, password = PASSWORD) {
  await page.fill("#email", `${name}@example.com`);
  await page.fill("#password", password);
  await page.keyboard.press("Enter");
}

/**
 * A page as staff see it.
 * @param {string} link
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function asStaff(link, options) {
  const all = await visit(link, options);
  await signIn(all.page, "staff");
  await all.page.waitForSelector(".who");
  await all.page.waitForSelector("[data-ready]");
  return all;
}

/**
 * Does what is offered, and waits until it is done.
 * @param {import("playwright-core").Page} page
 * @param {string} deed
 * @param {(dialog: import("playwright-core").Locator) => Promise<unknown>} [fill]
 */
export async function act(page, deed, fill) {
  await page.locator(`[data-deed="${deed}"]`).first().click();
  const dialog = page.locator("#ask");
  await dialog.waitFor();
  await fill?.(dialog);
  await page.click("#ask-yes");
  await dialog.waitFor({ state: "detached" });
  await page.waitForSelector("[data-ready]");
  assert.match(await page.textContent("#told") ?? "", /^Done: /);
}
