// Runs the app of native.test.js on Hermes itself. By hand, since its package is large and holds three platforms:
//   npm install --no-save hermes-engine-cli && node packages/client/tests/native/hermes.js
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { bundle } from "./bundle.js";
import { expect } from "./expected.js";

const require = createRequire(import.meta.url);
const folders = { linux: "linux64-bin", darwin: "osx-bin" };
const hermes = require.resolve(
  `hermes-engine-cli/${
    folders[/** @type {"linux"} */ (process.platform)]
  }/hermes`,
);
chmodSync(hermes, 0o755);

// Its shell has `print` and a `setTimeout` that does not wait: here time passes from one timer to the next. Of a URL, which an app brings as a polyfill, supabase-js wants no more here.
const shell = `
var told = (text) => {
  print(text);
  turn = () => {};
};
var console = { assert() {}, log() {}, warn() {}, error() {} };
var setInterval = () => {}, clearInterval = () => {};
var turn = setTimeout, timers = new Map(), now = Date.now(), ids = 0;
Date.now = () => now;
var clearTimeout = (id) => void timers.delete(id);
var setTimeout = (work, after = 0) => {
  timers.set(ids += 1, { work, at: now + after });
  turn(next);
  return ids;
};
function next() {
  let first;
  timers.forEach(({ at }, id) => {
    if (first === undefined || at < timers.get(first).at) first = id;
  });
  if (first === undefined) return;
  const { work, at } = timers.get(first);
  timers.delete(first);
  now = Math.max(now, at);
  work();
}
function URLSearchParams() {}
function URL(path, base) {
  this.href = /^https?:/.test(path) ? path : base.href + path;
  this.protocol = "https:";
  this.hostname = "shop.test";
  this.pathname = "/";
  this.searchParams = new URLSearchParams();
  this.toString = () => this.href;
}
`;

const folder = await mkdtemp(join(tmpdir(), "interlock-hermes-"));
try {
  const script = join(folder, "app.js");
  await writeFile(script, shell + await bundle("./app.js"));
  const printed = execFileSync(hermes, ["-w", "-Xmicrotask-queue", script], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(JSON.parse(printed));
  process.stdout.write("ok - the app runs on Hermes\n");
} finally {
  await rm(folder, { recursive: true });
}
