// What `npm run -s stack -- env` prints: the stack's address and keys, and a token for each of the seed's people.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { root } from "./blocks.js";

/** @returns {Record<string, string>} */
export function variables() {
  const { STACK_PROGRAM = "", STACK_FOLDER = "" } = process.env;
  const { stdout, stderr, status } = spawnSync(
    STACK_PROGRAM,
    ["--dir", STACK_FOLDER, "env"],
    { encoding: "utf8", cwd: fileURLToPath(root) },
  );
  assert.equal(status, 0, stderr);
  return Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [
      name,
      value,
    ]),
  );
}
