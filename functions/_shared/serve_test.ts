// The shim with the real core of claim-route, in front of an upstream that does as it is told.
import assert from "node:assert/strict";
import * as core from "../claim-route/core.js";
import {
  BATCH,
  captured,
  claim,
  functionAt,
  json,
  OK,
  post,
  upstream,
  USER,
} from "./testing.ts";

const NEXT = "{}";

async function refused(response: Response, status: number, code: string) {
  const body = await response.json();
  assert.equal(body.error, code);
  assert.equal(response.status, status);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.equal(response.headers.get("x-request-id"), body.request_id);
  assert.equal(response.headers.has("retry-after"), body.retryable);
  return body;
}

Deno.test("a claim is one PostgREST call, made as the caller", async () => {
  const database = upstream(() => json(OK));
  const handler = functionAt(core, database.url);
  const lines = await captured(async () => {
    const response = await handler(claim());
    assert.equal(response.status, 200);
    assert.equal(await response.text(), OK);
  });
  await database.close();
  assert.equal(database.requests.length, 1);
  const [{ url, headers, body }] = database.requests;
  assert.equal(new URL(url).pathname, "/rest/v1/rpc/claim_route");
  assert.equal(headers.get("authorization"), USER);
  assert.equal(headers.get("apikey"), "sb_publishable_test");
  assert.deepEqual(JSON.parse(body), { p_batch_id: BATCH, p_action: "claim" });

  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0]);
  assert.equal(line.function, "claim-route");
  assert.equal(line.outcome, "OK");
  assert.equal(line.status, 200);
  assert.equal(line.attempts, 1);
  assert.equal(typeof line.ms, "number");
  assert.ok(!lines[0].includes(USER.split(".")[1]), "no token in the log");
});

Deno.test("invalid input never reaches the database", async () => {
  const database = upstream(() => json(OK));
  const handler = functionAt(core, database.url);
  await captured(async () => {
    await refused(await handler(post("{")), 400, "VALIDATION_FAILED");
    await refused(
      await handler(post(NEXT, { authorization: "" })),
      401,
      "UNAUTHENTICATED",
    );
    await refused(
      await handler(post(NEXT, { "content-type": "text/plain" })),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    );
    await refused(
      await handler(post(" ".repeat(65_537))),
      413,
      "BODY_TOO_LARGE",
    );
    await refused(
      await handler(post(new Uint8Array([0xff, 0xfe]))),
      400,
      "VALIDATION_FAILED",
    );
    await refused(
      await handler(new Request("http://127.0.0.1/")),
      405,
      "METHOD_NOT_ALLOWED",
    );
  });
  await database.close();
  assert.equal(database.requests.length, 0);
});

Deno.test("a body that is too large is taken in to its end, within a limit", async () => {
  const handler = functionAt(core, "http://127.0.0.1:9");
  const chunk = new Uint8Array(65_536).fill(32);
  const sent = async (chunks: number) => {
    let left = chunks;
    let cut = false;
    const body = new ReadableStream({
      pull: (controller) =>
        left-- > 0 ? controller.enqueue(chunk) : controller.close(),
      cancel: () => {
        cut = true;
      },
    });
    await captured(async () => {
      await refused(await handler(post(body)), 413, "BODY_TOO_LARGE");
    });
    return cut;
  };
  assert.equal(await sent(32), false);
  assert.equal(await sent(1_000_000), true);
});

Deno.test("a body that stalls is given up", async () => {
  const stalled = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
  });
  const handler = functionAt(core, "http://127.0.0.1:9", { timeoutMs: "100" });
  await captured(async () => {
    const body = await refused(
      await handler(post(stalled)),
      400,
      "VALIDATION_FAILED",
    );
    assert.equal(body.details.problems[0].message, "did not arrive completely");
  });
});

Deno.test("a body that stalls on the wire is given up, though its length is known", async () => {
  const handler = functionAt(core, "http://127.0.0.1:9", { timeoutMs: "100" });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    handler,
  );
  await captured(async () => {
    const connection = await Deno.connect({ port: server.addr.port });
    await connection.write(new TextEncoder().encode(
      `POST / HTTP/1.1\r\nhost: x\r\nauthorization: ${USER}\r\n` +
        "content-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    ));
    const answer = new Uint8Array(4096);
    const read = await connection.read(answer) ?? 0;
    const text = new TextDecoder().decode(answer.subarray(0, read));
    assert.match(text, /^HTTP\/1\.1 400 /);
    connection.close();
  });
  await server.shutdown();
});

Deno.test("an upstream that is down is asked again and then 503", async () => {
  const gone = upstream(() => json(OK));
  await gone.close();
  const handler = functionAt(core, gone.url);
  const lines = await captured(async () => {
    await refused(await handler(post(NEXT)), 503, "UPSTREAM_UNAVAILABLE");
  });
  assert.equal(JSON.parse(lines[0]).attempts, 4);
});

Deno.test("a passing failure is repeated until it works", async () => {
  const database = upstream((attempt) =>
    attempt < 3
      ? json(`{"code":"55P03","message":"lock timeout"}`, 500)
      : json(OK)
  );
  const handler = functionAt(core, database.url);
  const lines = await captured(async () => {
    assert.equal((await handler(post(NEXT))).status, 200);
  });
  await database.close();
  assert.equal(database.requests.length, 3);
  assert.equal(JSON.parse(lines[0]).attempts, 3);
});

Deno.test("a slow upstream is 504 and not asked again", async () => {
  const release = Promise.withResolvers<void>();
  const database = upstream(async () => {
    await release.promise;
    return json(OK);
  });
  const handler = functionAt(core, database.url, { timeoutMs: "100" });
  await captured(async () => {
    await refused(await handler(claim()), 504, "UPSTREAM_TIMEOUT");
  });
  release.resolve();
  await database.close();
  assert.equal(database.requests.length, 1);
});

Deno.test("a connection that breaks is repeated only where that is safe", async () => {
  // Claiming "the next" twice could claim two: its outcome is reported as not
  // known, and not as something to repeat.
  for (
    const { request, attempts, status, code, retryable } of [
      {
        request: claim,
        attempts: 4,
        status: 503,
        code: "UPSTREAM_UNAVAILABLE",
        retryable: true,
      },
      {
        request: () => post(NEXT),
        attempts: 1,
        status: 504,
        code: "UPSTREAM_TIMEOUT",
        retryable: false,
      },
    ]
  ) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let connections = 0;
    const closing = (async () => {
      for await (const connection of listener) {
        connections += 1;
        await connection.read(new Uint8Array(65_536));
        connection.close();
      }
    })();
    const { port } = listener.addr as Deno.NetAddr;
    const handler = functionAt(core, `http://127.0.0.1:${port}`);
    await captured(async () => {
      const body = await refused(await handler(request()), status, code);
      assert.equal(body.retryable, retryable);
    });
    listener.close();
    await closing;
    assert.equal(connections, attempts);
  }
});

Deno.test("rubbish from upstream is 500 without a word of it", async () => {
  const answers: [string, () => Response][] = [
    ["no JSON", () => json("<html>secret</html>")],
    ["no object", () => json("[1]")],
    ["empty", () => json("")],
    [
      "an unknown error",
      () => json(`{"code":"XX000","message":"secret"}`, 500),
    ],
    ["a redirect", () => Response.redirect("http://127.0.0.1:9/")],
    ["more than a MiB", () => json(`{"secret":"${"x".repeat(1_048_576)}"}`)],
    ["a MiB that was packed", () =>
      new Response(
        new Blob([`{"secret":"${"x".repeat(1_048_576)}"}`]).stream()
          .pipeThrough(new CompressionStream("gzip")),
        { headers: { "content-encoding": "gzip" } },
      )],
    ["no UTF-8", () => new Response(new Uint8Array([0x7b, 0xff, 0x7d]))],
  ];
  for (const [name, answer] of answers) {
    const database = upstream(answer);
    const handler = functionAt(core, database.url);
    const lines = await captured(async () => {
      const body = await refused(await handler(claim()), 500, "INTERNAL");
      assert.ok(!JSON.stringify(body).includes("secret"), name);
    });
    await database.close();
    assert.equal(database.requests.length, 1, name);
    assert.ok(!lines.join().includes("secret"), name);
  }
});

Deno.test("a function without settings says so in the log and answers 500", async () => {
  const lines = await captured(async () => {
    const handler = functionAt(core, null);
    await refused(await handler(claim()), 500, "INTERNAL");
  });
  assert.equal(JSON.parse(lines[0]).cause, "SUPABASE_URL is not set");
});

Deno.test("a URL that the function cannot read is named in the log", async () => {
  const lines = await captured(async () => {
    const handler = functionAt(core, "http://[::1]:54321");
    await refused(await handler(claim()), 500, "INTERNAL");
  });
  const { outcome, cause } = JSON.parse(lines[0]);
  assert.equal(outcome, "MISCONFIGURED");
  assert.match(cause, /^SUPABASE_URL has an IPv6 address/);
});
