// The shim with the core of payment-webhook: what was signed goes on as it came, and nothing beside it does.
import assert from "node:assert/strict";
import * as core from "../payment-webhook/core.js";
import { captured, functionAt, json, post, upstream, USER } from "./testing.ts";

const OK = `{"success": true}`;

Deno.test("a signed text goes on as it came, as nobody's", async () => {
  const database = upstream(() => json(OK));
  const handler = functionAt(core, database.url);
  const text = '\t{"a" : "\\u00e9 é 😀"}\r\n';
  const signature = "t=1,v1=00";
  const lines = await captured(async () => {
    for (const authorization of [USER, "Bearer nonsense", ""]) {
      const response = await handler(post(text, {
        authorization,
        "stripe-signature": signature,
        "content-type": "text/plain",
      }));
      assert.equal(response.status, 200);
      assert.equal(await response.text(), OK);
    }
  });
  await database.close();
  assert.equal(database.requests.length, 3);
  for (const { url, headers, body } of database.requests) {
    assert.equal(new URL(url).pathname, "/rest/v1/rpc/payment_webhook");
    assert.equal(headers.get("authorization"), null);
    assert.equal(headers.get("apikey"), "sb_publishable_test");
    assert.deepEqual(JSON.parse(body), {
      p_provider: "stripe",
      p_body: text,
      p_signature: signature,
    });
  }
  assert.ok(!lines.join().includes(signature), "no signature in the log");
});

Deno.test("bytes that are no text, and too many of them, never reach the database", async () => {
  const handler = functionAt(core, "http://127.0.0.1:9");
  await captured(async () => {
    for (
      const [body, status] of [
        [new Uint8Array([0x7b, 0xff, 0x7d]), 400],
        ["\0", 400],
        [" ".repeat(65_537), 413],
      ] as const
    ) {
      assert.equal((await handler(post(body))).status, status);
    }
  });
});
