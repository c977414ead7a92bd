// The function but for its call of the database: everything that does not depend on the client
// library.
import { ERRORS, Refusal } from "./errors.ts";
import { type Checkout, readCheckout, requestId } from "./request.ts";

const BUDGET_MS = 10_000;
const MAX_REPEATS = 3;
const BASE_MS = 100;
// Rolled back, or refused before anything ran.
const PASSING = new Set(["40001", "40P01", "55P03", "57014", "53300", "57P01"]);
// Perhaps in effect.
const UNKNOWN = new Set(["57P02", "PGRST001", "PGRST500"]);

const CORS = { "access-control-allow-origin": "*" };
const PREFLIGHT = {
  ...CORS,
  "access-control-allow-methods": "POST, OPTIONS",
  "access-control-allow-headers":
    "authorization, x-client-info, apikey, content-type, idempotency-key, x-request-id, x-retry-count",
  "access-control-max-age": "86400",
};
const COMMON = {
  ...CORS,
  "content-type": "application/json",
  "cache-control": "no-store",
  "access-control-expose-headers":
    "idempotent-replayed, retry-after, x-request-id",
};

/** PostgREST's own account of an error. */
interface Failed {
  kind: "error";
  status: number;
  code: string;
  message: string;
  details: string | null;
  hint: string | null;
}

/** What came of one call. */
export type Outcome =
  | { kind: "done"; body: string; replayed: boolean }
  | Failed
  | { kind: "unsent" }
  | { kind: "broken" }
  | { kind: "timedOut" };

/** Makes the call; never throws. */
export type Call = (checkout: Checkout, timeout: number) => Promise<Outcome>;

export function handler(call: Call): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: PREFLIGHT });
    }
    const started = Date.now();
    const id = requestId(request);
    const log = (outcome: string, status: number, note = "") =>
      console.log(
        JSON.stringify({
          level: status < 500 ? "info" : "error",
          function: "checkout",
          request_id: id,
          outcome,
          status,
          ms: Date.now() - started,
        }) + note,
      );
    try {
      const checkout = await readCheckout(request);
      const { body, replayed } = await persist(call, checkout, started);
      const headers: Record<string, string> = { ...COMMON, "x-request-id": id };
      if (replayed) headers["idempotent-replayed"] = "true";
      const items = checkout.args.p_cart_items;
      const products = new Set(items.map((line) => line.product_id)).size;
      log(
        "OK",
        200,
        replayed
          ? ""
          : `\n[${id}] ✅ Atomically updated inventory for ${products} products`,
      );
      return new Response(body, { status: 200, headers });
    } catch (error) {
      const refusal = error instanceof Refusal
        ? error
        : new Refusal("INTERNAL");
      log(refusal.code, ERRORS[refusal.code].status);
      return refuse(refusal, id);
    }
  };
}

/** Calls, and again after what passes, within the time that there is. */
async function persist(call: Call, checkout: Checkout, started: number) {
  const keyed = checkout.args.p_idempotency_key !== undefined;
  for (let repeats = 0;; repeats++) {
    const left = BUDGET_MS - (Date.now() - started);
    const outcome = await call(checkout, left);
    if (outcome.kind === "done") return outcome;
    const failure = judge(outcome);
    const again = failure.passing || (failure.unknown && keyed);
    const wait = BASE_MS * 2 ** repeats * Math.random();
    if (!again || repeats >= MAX_REPEATS || wait >= left) {
      throw failure.unknown && !keyed
        ? new Refusal("UPSTREAM_TIMEOUT")
        : failure.refusal;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function judge(outcome: Exclude<Outcome, { kind: "done" }>) {
  const unavailable = new Refusal("UPSTREAM_UNAVAILABLE");
  if (outcome.kind === "unsent") return { passing: true, refusal: unavailable };
  if (outcome.kind === "broken") return { unknown: true, refusal: unavailable };
  if (outcome.kind === "timedOut") {
    return { refusal: new Refusal("UPSTREAM_TIMEOUT") };
  }
  const { status, code, message, details, hint } = outcome;
  if (code.startsWith("PT")) {
    const known = message in ERRORS ? message : "INTERNAL";
    return { refusal: new Refusal(known, parse(details), hint ?? undefined) };
  }
  if (PASSING.has(code)) return { passing: true, refusal: unavailable };
  if (UNKNOWN.has(code) || code.startsWith("08")) {
    return { unknown: true, refusal: unavailable };
  }
  if (code === "42501") return { refusal: new Refusal("FORBIDDEN") };
  if (status === 401 || code.startsWith("PGRST30")) {
    return { refusal: new Refusal("UNAUTHENTICATED") };
  }
  if (code.startsWith("PGRST00") || status === 429 || status === 503) {
    return { passing: true, refusal: unavailable };
  }
  if (status === 502 || status === 504) {
    return { unknown: true, refusal: unavailable };
  }
  return { refusal: new Refusal("INTERNAL") };
}

function parse(details: string | null): unknown {
  try {
    return JSON.parse(details ?? "null");
  } catch {
    return null;
  }
}

function refuse({ code, details, hint }: Refusal, id: string): Response {
  const entry = ERRORS[code];
  const retryable = entry.retryable ?? false;
  const headers: Record<string, string> = { ...COMMON, "x-request-id": id };
  if (retryable) headers["retry-after"] = "1";
  if (code === "METHOD_NOT_ALLOWED") headers.allow = "POST, OPTIONS";
  const body = {
    error: code,
    code,
    message: entry.message,
    details,
    hint: hint ?? entry.hint,
    retryable,
    request_id: id,
  };
  return Response.json(body, { status: entry.status, headers });
}
