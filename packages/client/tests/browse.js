// A browser before a bad network, and the pages that it visits.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import process from "node:process";
import { chromium } from "playwright-core";
import { fixture } from "./fixture.js";
import { badNetwork } from "./proxy.js";

/**
 * Starts both.
 * @param {Record<string, string>} made Scripts that are no files, by their paths.
 */
export async function browse(made = {}) {
  const executablePath = process.env.CHROMIUM_PATH;
  if (!executablePath) {
    throw new Error(
      "CHROMIUM_PATH is not set: run `cargo xtask test --only browser`, which finds or fetches a Chromium",
    );
  }
  const network = await badNetwork(fixture.apiUrl);
  const site = await serveSite(made);
  const browser = await chromium.launch({
    executablePath,
    // Its sandbox needs rights that a container seldom gives; the pages are our own.
    args: ["--no-sandbox"],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: process.env.CHROMIUM_LIBRARIES ?? "",
    },
  });

  /**
   * A browser of its own with a page in it.
   * @param {{ token: string }} user
   * @param {string} name
   * @param {Record<string, unknown>} more
   * @param {typeof network.fault} fault
   */
  async function visit(
    user,
    name = "page",
    more = {},
    fault = () => undefined,
  ) {
    network.mend();
    network.fault = fault;
    const context = await browser.newContext();
    const page = await context.newPage();
    const address = site.address();
    assert.ok(address && typeof address === "object");
    const settings = JSON.stringify({
      apiUrl: network.url,
      anonKey: fixture.anonKey,
      token: user.token,
      product: fixture.product,
      ...more,
    });
    await page.goto(
      `http://127.0.0.1:${address.port}/${name}.html#${
        encodeURIComponent(settings)
      }`,
    );
    await page.waitForSelector("[data-ready]");
    return { context, page };
  }

  async function close() {
    await browser.close();
    await network.close();
    site.close();
  }

  return { network, visit, close };
}

/**
 * The pages and their scripts, from another origin than the API.
 * @param {Record<string, string>} made
 */
async function serveSite(made) {
  const root = new URL("..", import.meta.url);
  const supabase = new URL(
    "../../node_modules/@supabase/supabase-js/dist/umd/supabase.js",
    root,
  );
  const server = createServer(async (request, response) => {
    const path = request.url ?? "/";
    const script = path === "/supabase.js"
      ? supabase
      : new URL(path.replace(/^\/client\//, "dist/"), root);
    const [file, type] = path.endsWith(".html")
      ? [new URL(`tests${path}`, root), "text/html; charset=utf-8"]
      : [script, "text/javascript"];
    try {
      response.writeHead(200, { "content-type": type }).end(
        made[path] ?? await readFile(file),
      );
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(undefined))
  );
  return server;
}
