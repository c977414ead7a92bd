// The collection in docs/bruno, read by Bruno's own parser, and sent as it stands.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import bruno from "@usebruno/lang";
import { variables } from "./people.js";

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

const SECRETS = ["DELIVER_SECRET_INVALID", "WEBHOOK_SIGNATURE_INVALID"];
// In the seed's shop points are worth nothing.
const NOT_SET_UP = ["rpcs/customers/redeem_points.bru"];

// Bruno's own program for a shell brings 500 packages, so what it does with a request is done here.
test("every request is one that its caller may send", async () => {
  const env = variables();
  const local = bruno.bruToEnvJsonV2(read("environments/local.bru"));
  const filled = Object.fromEntries(
    local.variables.map((
      /** @type {{ name: string, value: string }} */ { name, value },
    ) => [name, env[value.slice("{{process.env.".length, -"}}".length)]]),
  );
  const fill = (/** @type {string} */ text) =>
    text.replaceAll("{{$guid}}", () => randomUUID()).replaceAll(
      /\{\{(\w+)\}\}/g,
      (_, name) => filled[name] ?? assert.fail(`${name} is not there`),
    );
  /** @type {string[]} */
  const refused = [];
  for (const path of paths) {
    if (path === "collection.bru" || path.startsWith("environments/")) continue;
    const { http, headers, auth, body } = bruno.bruToJsonV2(read(path));
    /** @type {{ name: string, value: string, enabled: boolean }[]} */
    const all = headers;
    const signed = all.some(({ enabled }) => !enabled);
    const sent = new Headers({ "content-type": "application/json" });
    for (const { name, value, enabled } of all) {
      if (enabled) sent.set(name, fill(value));
    }
    if (auth) sent.set("authorization", `Bearer ${fill(auth.bearer.token)}`);
    const response = await fetch(fill(http.url), {
      method: http.method.toUpperCase(),
      headers: sent,
      body: fill(body.json),
    });
    const { status } = response;
    if (response.ok) continue;
    const code = (await response.text()).match(
      /"(?:error|message)" ?: ?"([A-Z_]+)"/,
    )?.[1];
    // A signature that only the sender can make, or a secret, is not there; nothing else is refused for who sends it, what it has, or where it
    // goes to. What it names may not be there (404) or be in another state (409).
    const isSound = signed || SECRETS.includes(code ?? "") ||
      NOT_SET_UP.includes(path) ||
      ![400, 401, 403].includes(status);
    if (!isSound || !code) refused.push(`${path}: ${status} ${code}`);
  }
  assert.deepEqual(refused, []);
});
