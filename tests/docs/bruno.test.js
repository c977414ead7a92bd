// The collection in docs/bruno, read by Bruno's own parser.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import bruno from "@usebruno/lang";

const folder = fileURLToPath(new URL("../../docs/bruno/", import.meta.url));
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".bru"));
const read = (/** @type {string} */ path) =>
  readFileSync(`${folder}${path}`, "utf8");
const document = (/** @type {string} */ name) =>
  JSON.parse(
    readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8"),
  );

test("every request is one as Bruno itself would write it", () => {
  /** @type {Set<string>} */
  const called = new Set();
  for (const path of paths) {
    if (path === "collection.bru" || path.startsWith("environments/")) continue;
    const text = read(path);
    const request = bruno.bruToJsonV2(text);
    JSON.parse(request.body.json);
    assert.match(request.http.url, /^\{\{API_URL\}\}\/(functions|rest)\/v1\//);
    called.add(request.http.url.slice("{{API_URL}}".length));
    assert.equal(bruno.jsonToBruV2(request).trim(), text.trim(), path);
  }
  const all = [
    ...Object.keys(document("openapi.json").paths).map((path) =>
      `/functions/v1${path}`
    ),
    ...Object.keys(document("openapi-rpc.json").paths).map((path) =>
      `/rest/v1${path}`
    ),
  ];
  assert.deepEqual([...called].sort(), all.sort());
});

test("the environments have what the requests take", () => {
  const used = new Set(
    paths.filter((path) => !path.startsWith("environments/")).flatMap((path) =>
      [...read(path).matchAll(/\{\{([A-Z_]+)\}\}/g)].map(([, name]) => name)
    ),
  );
  for (const name of ["local", "project"]) {
    const { variables } = bruno.bruToEnvJsonV2(
      read(`environments/${name}.bru`),
    );
    const names = variables.map((/** @type {{ name: string }} */ { name }) =>
      name
    );
    for (const variable of used) assert.ok(names.includes(variable), variable);
  }
  assert.equal(
    bruno.collectionBruToJson(read("collection.bru")).meta.name,
    "Interlock",
  );
});
