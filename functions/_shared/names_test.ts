// The shim with the core of deliver: where a name leads is looked up before anything is sent there.
import assert from "node:assert/strict";
import * as core from "../deliver/core.js";
import { captured, functionAt, json, post, upstream } from "./testing.ts";

type Found = string[] | string;

/** What comes of a delivery to a name with these addresses of either kind, or errors: what was sent, what was recorded, the log. */
async function deliverTo(a: Found, aaaa: Found) {
  const delivery = {
    id: 1,
    lease: "l",
    url: "https://receiver.example/hook",
    public: true,
    headers: { "webhook-id": "e" },
    body: "{}",
  };
  const database = upstream((attempt) =>
    json(
      attempt === 1
        ? JSON.stringify({ success: true, deliveries: [delivery] })
        : '{"success": true, "recorded": true, "state": "x"}',
    )
  );
  const asked: string[] = [];
  const sent: string[] = [];
  const { resolveDns } = Deno;
  const { fetch } = globalThis;
  Object.assign(Deno, {
    resolveDns(name: string, kind: string) {
      asked.push(`${name} ${kind}`);
      const found = kind === "A" ? a : aaaa;
      if (Array.isArray(found)) return Promise.resolve(found);
      return Promise.reject(Object.assign(new Error(), { name: found }));
    },
  });
  globalThis.fetch = (url, init) => {
    if (String(url).startsWith(database.url)) return fetch(url, init);
    sent.push(String(url));
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  try {
    const log = await captured(async () => {
      const headers = { "x-deliver-secret": "s" };
      const handler = functionAt(core, database.url);
      assert.equal((await handler(post("{}", headers))).status, 200);
    });
    assert.deepEqual(asked, ["receiver.example A", "receiver.example AAAA"]);
    const { p_status, p_error } = JSON.parse(database.requests[1]!.body);
    return { sent, recorded: p_status ?? p_error, log };
  } finally {
    Object.assign(Deno, { resolveDns });
    globalThis.fetch = fetch;
    await database.close();
  }
}

Deno.test("what leads to public addresses alone is sent", async () => {
  for (
    const [a, aaaa] of [
      [["1.1.1.1", "8.8.8.8"], []],
      [["1.1.1.1"], "NotFound"],
      ["NotFound", ["2606:4700::1111"]],
    ] as Found[][]
  ) {
    const { sent, recorded } = await deliverTo(a!, aaaa!);
    assert.deepEqual(sent, ["https://receiver.example/hook"]);
    assert.equal(recorded, 204);
  }
});

Deno.test("what leads to a private one, or nowhere, is not", async () => {
  for (
    const [a, aaaa, why] of [
      [["1.1.1.1", "10.0.0.1"], [], "10.0.0.1, which is not public"],
      [["169.254.169.254"], "NotFound", "169.254.169.254, which is not"],
      [["1.1.1.1"], ["fd00::1"], "fd00::1, which is not public"],
      [["1.1.1.1"], ["::ffff:127.0.0.1"], "::ffff:127.0.0.1, which is not"],
      ["NotFound", "NotFound", "not found"],
      [[], [], "not found"],
      // Half an answer is none.
      [["1.1.1.1"], "Error", "not found"],
    ] as [Found, Found, string][]
  ) {
    const { sent, recorded } = await deliverTo(a, aaaa);
    assert.deepEqual(sent, []);
    assert.ok(recorded.includes(why), recorded);
  }
});

Deno.test("where the runtime cannot look names up it is sent, and the log says so once", async () => {
  const logs = [];
  for (const error of ["NotSupported", "NotCapable", "PermissionDenied"]) {
    const { sent, recorded, log } = await deliverTo(error, error);
    assert.deepEqual(sent, ["https://receiver.example/hook"]);
    assert.equal(recorded, 204);
    logs.push(...log);
  }
  const said = logs.filter((line) => line.includes("cannot be looked up"));
  assert.equal(said.length, 1);
});
