// Which shop a request is about, on its way to the database: as it came, or not at all.
import assert from "node:assert/strict";
import * as claimRoute from "../claim-route/core.js";
import type { Core } from "./core.ts";
import { CORES } from "./cores.ts";
import { captured, functionAt, json, OK, upstream, USER } from "./testing.ts";

/** What the settings of any function may need. */
const SETTINGS = { thirdPartyKey: "sk_test" };

/** The functions whose senders may have no say in their headers. */
const SIGNED = ["payment-webhook", "deliver", "mail-webhook"];

/** A good request's body, as the corpus has it. */
async function bodyOf(name: string): Promise<string> {
  const url = new URL(`../../tests/corpus/${name}.json`, import.meta.url);
  return JSON.parse(await Deno.readTextFile(url))[0].request.body;
}

/** What the database is told of the shop by each call that a request leads to, and the problem if it is refused. */
async function told(
  core: Core,
  body: string,
  headers: Record<string, string>,
  query = "",
) {
  // The first call is repeated.
  const database = upstream((attempt) =>
    attempt === 1 ? json(`{"code":"40001"}`, 500) : json(OK)
  );
  const handler = functionAt(core, database.url, SETTINGS);
  const answers: Response[] = [];
  await captured(async () => {
    const request = new Request(`http://127.0.0.1/${query}`, {
      method: "POST",
      headers: {
        authorization: USER,
        "content-type": "application/json",
        "idempotency-key": "k",
        ...headers,
      },
      body,
    });
    answers.push(await handler(request));
  });
  await database.close();
  const { details } = await answers[0].json();
  const pointers = details?.problems?.map((problem: { pointer: string }) =>
    problem.pointer
  );
  return pointers ??
    database.requests.slice(0, 2).map(({ headers }) => headers.get("x-shop"));
}

for (const [name, core] of CORES) {
  Deno.test(`${name} tells the database which shop a request is about`, async () => {
    const body = await bodyOf(name);
    const of = (headers: Record<string, string>, query?: string) =>
      told(core, body, headers, query);
    assert.deepEqual(await of({}), [null, null]);
    assert.deepEqual(await of({ "x-shop": "7" }), ["7", "7"]);
    assert.deepEqual(await of({ "x-shop": "b-2" }), ["b-2", "b-2"]);
    assert.deepEqual(await of({ "x-shop": "B" }), ["/headers/x-shop"]);
    // In the URL only where nothing can be said in a header.
    const inUrl = SIGNED.includes(name) ? "7" : null;
    for (const query of ["?shop=7", "?a=b&shop=7&c=d", "?shop=7#shop=8"]) {
      assert.deepEqual(await of({}, query), [inUrl, inUrl], query);
    }
    assert.deepEqual(await of({ "x-shop": "8" }, "?shop=7"), ["8", "8"]);
    assert.deepEqual(await of({}, "?workshop=7"), [null, null]);
    for (const query of ["?shop=", "?shop=7%0Ax", "?shop=%37", "?shop=7,8"]) {
      const expected = inUrl ? ["/headers/x-shop"] : [null, null];
      assert.deepEqual(await of({}, query), expected, query);
    }
  });
}

Deno.test("what is no shop is refused, whatever came in the header", async () => {
  const body = await bodyOf("claim-route");
  for (const shop of ["", "0", "07", "7, 8", "\u00e9", "x".repeat(64)]) {
    assert.deepEqual(
      await told(claimRoute, body, { "x-shop": shop }),
      ["/headers/x-shop"],
      shop,
    );
  }
});

Deno.test("a page of any origin may say which shop it is about", async () => {
  for (const [, core] of CORES) {
    const handler = functionAt(core, "http://127.0.0.1:9", SETTINGS);
    const response = await handler(
      new Request("http://127.0.0.1/", { method: "OPTIONS" }),
    );
    const allowed = response.headers.get("access-control-allow-headers");
    assert.ok(allowed?.split(", ").includes("x-shop"), `${allowed}`);
  }
});
