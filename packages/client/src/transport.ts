// One call over an existing supabase-js client: a value, or an InterlockError that says what came.
import type { SupabaseClient } from "@supabase/supabase-js";
import {
  type CatalogueCode,
  errorOf,
  type Failure,
  InterlockError,
} from "./error.ts";

/** A supabase-js client of any database. */
// deno-lint-ignore no-explicit-any
export type Supabase = Pick<SupabaseClient<any, any, any>, "functions" | "rpc">;

/** A shop of an installation that serves many: its id, or its handle. */
export type Shop = number | string;

const SHOP = "x-shop";

/** The calls of a client, each of which says which shop it is about. */
export function inShop(supabase: Supabase, shop?: Shop): Supabase;
export function inShop(
  supabase: Pick<Supabase, "rpc">,
  shop?: Shop,
): Pick<Supabase, "rpc">;
export function inShop(
  supabase: Pick<Supabase, "rpc"> & Partial<Supabase>,
  shop?: Shop,
) {
  if (shop === undefined) return supabase;
  return {
    rpc: (name: string, parameters: Record<string, unknown>) =>
      about(shop, supabase.rpc(name, parameters)),
    functions: {
      invoke: (name: string, options: { headers: Record<string, string> }) => {
        const headers = { ...options.headers, [SHOP]: String(shop) };
        return supabase.functions?.invoke(name, { ...options, headers });
      },
    },
  };
}

/** A query of a client that says which shop it is about. */
export function about<
  Query extends { setHeader(name: string, value: string): unknown },
>(shop: Shop | undefined, query: Query): Query {
  return shop === undefined
    ? query
    : query.setHeader(SHOP, String(shop)) as Query;
}

/** Calls an edge function. */
export async function callFunction(
  supabase: Supabase,
  name: string,
  body: Record<string, unknown>,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<unknown> {
  const { data, error } = await supabase.functions.invoke(name, {
    body,
    headers,
    signal,
  });
  if (!error) return data;
  const response: unknown = error.context;
  if (!isResponse(response)) throw noAnswer(headers, error);
  throw errorOf(await readRefusal(response, headers), { cause: error });
}

/** Calls a database function of the shop. One that is not `repeatable` says so where it may have taken effect. */
export async function callRpc(
  supabase: Pick<Supabase, "rpc">,
  name: string,
  parameters: Record<string, unknown>,
  signal: AbortSignal,
  repeatable = true,
): Promise<unknown> {
  const { data, error, status } = await supabase.rpc(name, parameters)
    .abortSignal(signal);
  if (!error) return data;
  if (!status) throw noAnswer({}, error, repeatable);
  const failure = readDatabaseError(error, status);
  if (failure.code === "UNEXPECTED_ANSWER") failure.retryable &&= repeatable;
  throw errorOf(failure, { cause: error });
}

const REQUEST_ID = "x-request-id";

function noAnswer(
  headers: Record<string, string>,
  cause: unknown,
  retryable = true,
) {
  return new InterlockError({
    code: "NO_ANSWER",
    message: "No answer came; it is not known whether the call took effect.",
    retryable,
    requestId: headers[REQUEST_ID] ?? null,
  }, { cause });
}

// By its form: an app may have several copies of supabase-js, or of fetch.
function isResponse(value: unknown): value is Response {
  return typeof value === "object" && value !== null && "status" in value &&
    "headers" in value;
}

async function readRefusal(
  response: Response,
  headers: Record<string, string>,
): Promise<Failure> {
  const { status } = response;
  const requestId = response.headers.get(REQUEST_ID) ??
    headers[REQUEST_ID] ?? null;
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  const body = await response.json().catch(() => null);
  if (typeof body?.code === "string" && typeof body.retryable === "boolean") {
    const { code, message, details, hint, retryable } = body;
    return {
      code,
      message,
      status,
      details,
      hint,
      retryable,
      requestId,
      retryAfter,
    };
  }
  return { ...unexpected(status), requestId, retryAfter };
}

/** What a gateway answers in a function's stead. */
function unexpected(status: number): Failure {
  if (status === 401) {
    return {
      code: "UNAUTHENTICATED",
      message: "The access token was refused.",
      status,
      hint: "Sign in again.",
      retryable: false,
    };
  }
  return {
    code: "UNEXPECTED_ANSWER",
    message: `The answer has status ${status} and is not the function's.`,
    status,
    retryable: status >= 500 || status === 408 || status === 429,
  };
}

interface DatabaseError {
  code: string;
  message: string;
  details: string | null;
  hint: string | null;
}

/** Rolled back for a passing reason, or refused before anything ran. */
const PASSING = /^(40001|40P01|55P03|57014|53...|57P01|57P03|PGRST00[023])$/;

/** Nothing can be written there: a replica, where such a transaction does not even begin, or a database set to read only. */
function onlyReads({ code, message }: DatabaseError): boolean {
  return code === "25006" ||
    (code === "0A000" && message.includes("during recovery"));
}

function readDatabaseError(error: DatabaseError, status: number): Failure {
  const { code, message, hint } = error;
  // The catalogue's: the status is in the SQLSTATE, the code in the message.
  if (/^PT\d{3}$/.test(code)) {
    const { details, sentence, retryable } = readDetails(error.details);
    return {
      code: message as CatalogueCode,
      message: sentence ?? hint ?? message,
      status: Number(code.slice(2)),
      details,
      hint,
      retryable,
      retryAfter: secondsIn(details),
    };
  }
  if (PASSING.test(code)) {
    return {
      code: "UPSTREAM_UNAVAILABLE",
      message: "The database is not available right now.",
      status,
      retryable: true,
    };
  }
  if (onlyReads(error)) {
    return {
      code: "READ_ONLY",
      message: "The database that was asked only reads.",
      status,
      hint: "Send the same request to the primary.",
      retryable: false,
    };
  }
  if (code === "42501") {
    return {
      code: "FORBIDDEN",
      message: "This user may not do that.",
      status,
      retryable: false,
    };
  }
  return unexpected(/^PGRST30[123]$/.test(code) ? 401 : status);
}

/** The details of a raised error: among them stand a sentence for a person, and whether it may be sent again. */
function readDetails(text: string | null) {
  const parsed = parse(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return { details: parsed, sentence: undefined, retryable: false };
  }
  const { message, retryable, ...details } = parsed as Record<string, unknown>;
  return {
    details: Object.keys(details).length > 0 ? details : null,
    sentence: typeof message === "string" ? message : undefined,
    retryable: retryable === true,
  };
}

function secondsIn(details: unknown): number | null {
  const seconds = (details as { retry_after?: unknown } | null)?.retry_after;
  return typeof seconds === "number" ? seconds : null;
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
