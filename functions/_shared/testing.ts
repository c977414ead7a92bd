// What the tests of the shim share: a stand-in for PostgREST on loopback, requests, captured logs.
import type { Core, Settings } from "./core.ts";
import { type Handler, serve } from "./serve.ts";

export const BATCH = "ba7c4000-0000-4000-8000-000000000001";

/** An unsigned token of a signed-in user; signatures are the gateway's and PostgREST's to check. */
export const USER = `Bearer e30.${
  btoa(JSON.stringify({
    sub: "b0000000-0000-4000-8000-000000000001",
    role: "authenticated",
  })).replaceAll("=", "")
}.c2ln`;

export const OK = `{"batch": {"id": "${BATCH}"}, "success": true}`;

export interface Upstream {
  url: string;
  /** The requests that came, in order. */
  requests: { url: string; headers: Headers; body: string }[];
  close(): Promise<void>;
}

/** A PostgREST that answers as it is told. */
export function upstream(
  answer: (attempt: number) => Response | Promise<Response>,
): Upstream {
  const requests: Upstream["requests"] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { url, headers } = request;
      requests.push({ url, headers, body: await request.text() });
      return answer(requests.length);
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, requests, close: () => server.shutdown() };
}

export function json(body: string, status = 200): Response {
  return new Response(body, {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** A function in front of that upstream. */
export function functionAt(
  core: Core,
  url: string | null,
  settings: Partial<Settings> = {},
): Handler {
  return serve(core, {
    url,
    key: "sb_publishable_test",
    timeoutMs: "2000",
    ...settings,
  });
}

export function post(
  body: BodyInit | null,
  headers: HeadersInit = {},
): Request {
  return new Request("http://127.0.0.1/claim-route", {
    method: "POST",
    headers: {
      authorization: USER,
      "content-type": "application/json",
      ...headers,
    },
    body,
  });
}

export const claim = () => post(JSON.stringify({ batch_id: BATCH }));

/** Runs with the console silent; returns what was logged. */
export async function captured(run: () => Promise<void>): Promise<string[]> {
  const { log, error } = console;
  const lines: string[] = [];
  console.log = console.error = (...values: unknown[]) =>
    lines.push(values.join(" "));
  try {
    await run();
  } finally {
    Object.assign(console, { log, error });
  }
  return lines;
}
