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
import { sleep } from "./time.ts";

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

Deno.test("the database is told by what id the log knows a request", async () => {
  const database = upstream(() => json(OK));
  const answered: (string | null)[] = [];
  const lines = await captured(async () => {
    const handler = functionAt(core, database.url);
    const all: Record<string, string>[] = [
      {},
      { "x-request-id": "mine" },
      { "x-request-id": "x".repeat(128) },
      { "x-request-id": "x".repeat(129) },
      { "x-request-id": "two words" },
      { "x-request-id": "sch\u00f6n" },
    ];
    for (const headers of all) {
      const response = await handler(post(NEXT, headers));
      await response.body?.cancel();
      answered.push(response.headers.get("x-request-id"));
    }
  });
  await database.close();
  const told = database.requests.map(({ headers }) =>
    headers.get("interlock-request-id")
  );
  assert.deepEqual(told, answered);
  assert.deepEqual(told, lines.map((line) => JSON.parse(line).request_id));
  assert.deepEqual(told.slice(1, 3), ["mine", "x".repeat(128)]);
  assert.equal(new Set(told).size, 6);
});

Deno.test("a function without settings says why once, and answers every request", async () => {
  const lines = await captured(async () => {
    const handler = functionAt(core, null);
    for (const id of ["first", "second"]) {
      const request = post(NEXT, { "x-request-id": id });
      const body = await refused(await handler(request), 500, "MISCONFIGURED");
      assert.equal(body.request_id, id);
    }
    // A browser asks first, and shows the 500 only if it may send the request.
    const preflight = await handler(
      new Request("http://127.0.0.1/", { method: "OPTIONS" }),
    );
    assert.equal(preflight.status, 204);
    assert.match(
      String(preflight.headers.get("access-control-allow-headers")),
      /idempotency-key/,
    );
  });
  const [start, ...answers] = lines.map((line) => JSON.parse(line));
  assert.deepEqual(start, {
    level: "error",
    function: "claim-route",
    outcome: "MISCONFIGURED",
    cause: "settings",
    reason: "SUPABASE_URL is not set",
  });
  assert.equal(answers.length, 2);
  for (const { outcome, status, cause, cause_code } of answers) {
    assert.deepEqual(
      [outcome, status, cause, cause_code],
      ["MISCONFIGURED", 500, "settings", null],
    );
  }
});

Deno.test("a URL that the function cannot read is named in the log", async () => {
  const lines = await captured(async () => {
    const handler = functionAt(core, "http://[::1]:54321");
    await refused(await handler(claim()), 500, "MISCONFIGURED");
  });
  assert.match(
    JSON.parse(lines[0]).reason,
    /^SUPABASE_URL has an IPv6 address/,
  );
});

Deno.test("a proxy's answer is an unknown outcome: repeated only where that is safe", async () => {
  const envoy =
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
  for (const status of [502, 503, 504, 520, 522, 524, 530]) {
    const database = upstream((attempt) =>
      attempt === 1 ? new Response(envoy, { status }) : json(OK)
    );
    const handler = functionAt(core, database.url);
    const lines = await captured(async () => {
      // Claiming "the next" twice could claim two.
      const body = await refused(
        await handler(post(NEXT)),
        504,
        "UPSTREAM_TIMEOUT",
      );
      assert.equal(body.retryable, false);
    });
    assert.equal(database.requests.length, 1, `${status}`);
    const { cause, cause_code } = JSON.parse(lines[0]);
    assert.deepEqual([cause, cause_code], ["proxy", `HTTP ${status}`]);
    await database.close();

    const again = upstream((attempt) =>
      attempt === 1 ? new Response(envoy, { status }) : json(OK)
    );
    await captured(async () => {
      const keyed = post(NEXT, { "idempotency-key": "a submission" });
      assert.equal((await functionAt(core, again.url)(keyed)).status, 200);
    });
    assert.equal(again.requests.length, 2, `${status}`);
    await again.close();
  }
});

Deno.test("an upstream that asks to wait is waited for, or its client is asked to", async () => {
  const limited = (retryAfter: string, status = 429) =>
    new Response("slow down", {
      status,
      headers: { "retry-after": retryAfter },
    });
  for (
    const answer of [
      () => limited("1"),
      () => limited("1", 503),
      // HTTP dates have whole seconds.
      () => limited(new Date(Date.now() + 2_500).toUTCString()),
      () => limited("soon"),
      () => new Response("slow down", { status: 429 }),
    ]
  ) {
    const times: number[] = [];
    const database = upstream((attempt) => {
      times.push(performance.now());
      return attempt === 1 ? answer() : json(OK);
    });
    await captured(async () => {
      const handler = functionAt(core, database.url, { timeoutMs: "5000" });
      assert.equal((await handler(claim())).status, 200);
    });
    await database.close();
    assert.equal(times.length, 2);
    assert.ok(times[1] - times[0] >= 990, `${times[1] - times[0]} ms`);
  }
  for (
    const [header, told] of [
      ["7", "7"],
      ["4000000000", "86400"],
      ["9".repeat(400), "86400"],
    ]
  ) {
    const database = upstream(() => limited(header));
    await captured(async () => {
      const response = await functionAt(core, database.url)(claim());
      assert.equal(response.headers.get("retry-after"), told);
      await refused(response, 503, "UPSTREAM_UNAVAILABLE");
    });
    await database.close();
    assert.equal(database.requests.length, 1, "it does not fit into the time");
  }
});

Deno.test("a clock that is set during a call changes nothing", async () => {
  const { now } = Date;
  const HOUR = 3_600_000;
  for (const hours of [-1, 1]) {
    const set = () => {
      Date.now = () => now() + hours * HOUR;
    };
    try {
      // It has time left, whatever the clock says, and is repeated.
      const database = upstream(async (attempt) => {
        set();
        await sleep(50);
        return attempt === 1 ? json(`{"code":"55P03"}`, 500) : json(OK);
      });
      const lines = await captured(async () => {
        const handler = functionAt(core, database.url);
        assert.equal((await handler(claim())).status, 200, `${hours} h`);
      });
      await database.close();
      const { attempts, ms } = JSON.parse(lines[0]);
      assert.equal(attempts, 2);
      assert.ok(ms >= 100 && ms < 2_000, `${ms} ms`);

      // It has none left.
      Date.now = now;
      const release = Promise.withResolvers<void>();
      const slow = upstream(async () => {
        set();
        await release.promise;
        return json(OK);
      });
      const startedMs = performance.now();
      await captured(async () => {
        const handler = functionAt(core, slow.url, { timeoutMs: "200" });
        await refused(await handler(claim()), 504, "UPSTREAM_TIMEOUT");
      });
      const tookMs = performance.now() - startedMs;
      assert.ok(tookMs >= 199 && tookMs < 2_000, `${tookMs} ms`);
      release.resolve();
      await slow.close();
    } finally {
      Date.now = now;
    }
  }
});
