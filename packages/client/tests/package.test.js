// What `npm publish` would upload, as those who install it find it: in ESM and CommonJS, with types for both.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const PATHS = ["", "/live", "/packing", "/react", "/till"];
const client = fileURLToPath(new URL("..", import.meta.url));
const root = join(client, "../..");
const folder = mkdtempSync(join(tmpdir(), "interlock-package-"));
after(() => rmSync(folder, { recursive: true }));

const npm = process.platform === "win32" ? "npm.cmd" : "npm";
const packing = ["pack", "--ignore-scripts", "--json", "--pack-destination"];
const listed = JSON.parse(
  execFileSync(npm, [...packing, folder], { cwd: client, encoding: "utf8" }),
);
// npm before version 12 lists packages, later ones name them.
const packed = listed[0] ?? Object.values(listed)[0];
const tarball = join(folder, packed.filename);

// An app that has installed it.
execFileSync("tar", ["-xzf", tarball, "-C", folder]);
const modules = join(folder, "node_modules");
mkdirSync(join(modules, "@interlock"), { recursive: true });
cpSync(join(folder, "package"), join(modules, "@interlock/client"), {
  recursive: true,
});
for (const name of ["@supabase", "@types", "react"]) {
  symlinkSync(join(root, "node_modules", name), join(modules, name), "dir");
}

test("it has what it needs, and nothing else", () => {
  const files = packed.files.map((/** @type {any} */ { path }) => path);
  const own = /^(cjs|dist)\/.*\.(js|d\.ts)$/;
  const needed = [
    "package.json",
    "README.md",
    "cjs/package.json",
    ...PATHS.flatMap((path) => {
      const name = path.slice(1) || "index";
      return [`dist/${name}`, `cjs/${name}`].flatMap((file) => [
        `${file}.js`,
        `${file}.d.ts`,
      ]);
    }),
    ...PATHS.filter(Boolean).map((path) => `${path.slice(1)}/package.json`),
  ];
  assert.deepEqual(needed.filter((path) => !files.includes(path)), []);
  const strays = files.filter((/** @type {string} */ path) =>
    !needed.includes(path) && !own.test(path)
  );
  assert.deepEqual(strays, []);
});

test("publint has nothing to say", async () => {
  const pkgDir = join(folder, "package");
  const { messages, pkg } = await publint({ pkgDir, strict: true });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg)), []);
});

test("each path has its types in every mode of TypeScript", () => {
  const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const options = ["--format", "ascii", "--no-color", "--no-emoji"];
  const found = spawnSync("node", [attw, tarball, ...options], {
    encoding: "utf8",
  });
  assert.equal(found.status, 0, found.stdout + found.stderr);
});

const app = `
import { createClient } from "@supabase/supabase-js";
import { Interlock, InterlockError, line, type Order, submission } from "@interlock/client";
import { packing } from "@interlock/client/packing";
import { useCheckout } from "@interlock/client/react";
import { createTill, memoryStore } from "@interlock/client/till";
import type { Database } from "./database.types";

const untyped = createClient("https://shop.test", "key");
const typed = createClient<Database>("https://shop.test", "key");
export const shops = [new Interlock(untyped), new Interlock(typed)];
export const tills = [untyped, typed].map((supabase) => [
  createTill(typed, { registerId: "…", store: memoryStore() }),
  createTill(untyped, { registerId: "…" }),
  packing(supabase, "…"),
]);
export async function buy(): Promise<Order | string> {
  try {
    const cart_items = [line({ id: "…", price: 500 }, 2)];
    return await new Interlock(typed).checkout({ cart_items }, { submission: submission("cart") });
  } catch (error) {
    return error instanceof InterlockError ? error.code : "?";
  }
}
export function Buy(shop: Interlock) {
  const { pending, checkout } = useCheckout(shop);
  return pending ? null : checkout;
}
`;

const modes = [
  { name: "ESM in Node", type: "module", module: "NodeNext" },
  { name: "CommonJS in Node", type: "commonjs", module: "NodeNext" },
  {
    name: "CommonJS of old",
    type: "commonjs",
    module: "CommonJS",
    moduleResolution: "Node10",
  },
  {
    name: "a bundler",
    type: "module",
    module: "ESNext",
    moduleResolution: "Bundler",
  },
];

for (const { name, type, ...options } of modes) {
  test(`an app compiles as ${name}`, () => {
    const at = join(folder, name);
    mkdirSync(at);
    const write = (/** @type {string} */ file, /** @type {string} */ text) =>
      writeFileSync(join(at, file), text);
    const imported = options.module === "NodeNext" && type === "module"
      ? app.replace("./database.types", "./database.types.js")
      : app;
    write("app.ts", imported);
    write("package.json", JSON.stringify({ type }));
    const compilerOptions = {
      target: "ES2022",
      lib: ["ES2022", "DOM", "DOM.AsyncIterable"],
      types: ["node"], // supabase-js names some of them.
      strict: true,
      noEmit: true,
      ...options,
    };
    write("tsconfig.json", JSON.stringify({ compilerOptions }));
    cpSync(join(root, "docs/database.types.ts"), join(at, "database.types.ts"));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const done = spawnSync("node", [tsc, "--project", at], {
      encoding: "utf8",
    });
    assert.equal(done.stdout, "");
    assert.equal(done.status, 0, done.stderr);
  });
}

test("each path loads in Node, in both ways", () => {
  const names = PATHS.map((path) => `"@interlock/client${path}"`);
  const scripts = {
    "app.mjs": names.map((name) =>
      `console.log(Object.keys(await import(${name})).length > 0);`
    ),
    "app.cjs": names.map((name) =>
      `console.log(Object.keys(require(${name})).length > 0);`
    ),
  };
  for (const [file, lines] of Object.entries(scripts)) {
    writeFileSync(join(folder, file), lines.join("\n"));
    const printed = execFileSync("node", [join(folder, file)], {
      encoding: "utf8",
    });
    assert.equal(printed, "true\n".repeat(PATHS.length));
  }
});

test("an error is one to both, where an app has both", () => {
  const script = join(folder, "both.mjs");
  writeFileSync(
    script,
    `import { createRequire } from "node:module";
     import * as one from "@interlock/client";
     const other = createRequire(import.meta.url)("@interlock/client");
     const errors = [one, other].flatMap((copy) => [
       new copy.InterlockError({ code: "INTERNAL", message: "" }),
       new copy.ConcurrencyConflictError({ code: "VERSION_CONFLICT", message: "" }),
     ]);
     for (const { InterlockError, ConcurrencyConflictError } of [one, other]) {
       console.log(...errors.map((error) => error instanceof InterlockError));
       console.log(...errors.map((error) => error instanceof ConcurrencyConflictError));
     }
     console.log(new Error("") instanceof one.InterlockError);`,
  );
  const printed = execFileSync("node", [script], { encoding: "utf8" });
  const each = "true true true true\nfalse true false true\n";
  assert.equal(printed, `${each}${each}false\n`);
});
