// The examples of docs/openapi-rpc.json, each sent by everybody of the seed: what is answered is what the document says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const {
  API_URL = "",
  ANON_KEY = "",
  SERVICE_ROLE_KEY = "",
  STACK_PROGRAM = "",
  STACK_FOLDER = "",
} = process.env;
const document = JSON.parse(
  readFileSync(`${root}docs/openapi-rpc.json`, "utf8"),
);

/** The tokens of the seed's people. */
function tokens() {
  const { stdout, stderr, status } = spawnSync(
    STACK_PROGRAM,
    ["--dir", STACK_FOLDER, "env"],
    { encoding: "utf8", cwd: root },
  );
  assert.equal(status, 0, stderr);
  /** @type {Map<string, string>} */
  const named = new Map(
    [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [
      String(name),
      String(value),
    ]),
  );
  return ["BUYER", "DRIVER_A", "CASHIER", "PACKER", "MANAGER", "STAFF"].map(
    (name) => String(named.get(name)),
  );
}

test("what database functions answer is what the document says", async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "rpcs");
  const people = [...tokens(), SERVICE_ROLE_KEY];
  const answered = new Set();
  const described = new Set();
  for (const [path, { post }] of Object.entries(document.paths)) {
    const { example } = post.requestBody.content["application/json"];
    const promised = post.responses[200].content["application/json"];
    const escaped = path.replaceAll("/", "~1");
    for (const token of people) {
      const answer = await fetch(`${API_URL}/rest/v1${path}`, {
        method: "POST",
        headers: {
          apikey: token === SERVICE_ROLE_KEY ? SERVICE_ROLE_KEY : ANON_KEY,
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(example),
      });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("json");
      // What is no JSON, as the figures for Prometheus are, has no schema.
      if (!isJson || text === "" || (answer.ok && !promised)) continue;
      const body = JSON.parse(text);
      const at = answer.ok
        ? `rpcs#/paths/${escaped}/post/responses/200/content/application~1json/schema`
        : "rpcs#/components/schemas/Refusal";
      const validate = ajv.getSchema(at);
      assert.ok(validate, at);
      assert.ok(
        validate(body),
        `${path}: ${JSON.stringify(validate.errors)}\n${text.slice(0, 2000)}`,
      );
      if (!answer.ok) continue;
      answered.add(path);
      if (promised.schema.$ref !== "#/components/schemas/Json") {
        described.add(path);
      }
    }
  }
  console.log(
    `# ${answered.size} answered of ${
      Object.keys(document.paths).length
    }, ${described.size} of them described`,
  );
  assert.ok(answered.size >= 25 && described.size >= 18);
});
