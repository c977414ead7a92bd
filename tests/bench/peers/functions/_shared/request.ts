// What is read of a request before the database is asked.
import { Refusal } from "./errors.ts";
import { type Arguments, invalid, isUuid, validate } from "./validate.ts";

const MAX_BODY = 64 * 1024;
const LEEWAY_SECONDS = 30;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export interface Checkout {
  authorization: string;
  args: Arguments;
}

/** The client's own id where it is usable, else a fresh one. */
export function requestId(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
}

/** Reads and checks everything; throws a `Refusal`. */
export async function readCheckout(request: Request): Promise<Checkout> {
  if (request.method !== "POST") {
    throw new Refusal("METHOD_NOT_ALLOWED", { method: request.method });
  }
  const authorization = request.headers.get("authorization") ?? "";
  checkUser(authorization);
  const text = await readText(request);
  const type = request.headers.get("content-type")?.split(";")[0].trim();
  if (type?.toLowerCase() !== "application/json") {
    throw new Refusal("UNSUPPORTED_MEDIA_TYPE");
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw invalid([{ pointer: "", message: "is not JSON" }]);
  }
  const args = validate(body, request.headers.get("idempotency-key"));
  return { authorization, args };
}

/** The gateway checks signatures, but lets a bare API key pass; that is no user. */
function checkUser(authorization: string) {
  const refuse = (reason: string) => new Refusal("UNAUTHENTICATED", { reason });
  const [, token] = authorization.match(/^\s*bearer\s+(\S+)\s*$/i) ?? [];
  if (!token) throw refuse("no_token");
  if (token.startsWith("sb_")) throw refuse("not_a_user_token");
  let claims: { sub?: unknown; role?: unknown; exp?: unknown };
  try {
    const [, payload, signature] = token.split(".");
    if (!signature) throw new Error("no JWT");
    claims = JSON.parse(
      atob(payload.replaceAll("-", "+").replaceAll("_", "/")),
    );
  } catch {
    throw refuse("malformed_token");
  }
  if (!isUuid(claims.sub) || claims.role === "anon") {
    throw refuse("not_a_user_token");
  }
  if (
    typeof claims.exp === "number" &&
    claims.exp + LEEWAY_SECONDS < Date.now() / 1000
  ) {
    throw refuse("expired_token");
  }
}

async function readText(request: Request): Promise<string> {
  const tooLarge = () => new Refusal("BODY_TOO_LARGE", { max_bytes: MAX_BODY });
  const announced = request.headers.get("content-length");
  if (Number(announced) > MAX_BODY) throw tooLarge();
  let bytes: Uint8Array;
  if (announced !== null || request.body === null) {
    // HTTP sees to it that there is not more than was announced.
    bytes = new Uint8Array(await request.arrayBuffer());
  } else {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of request.body) {
      length += chunk.byteLength;
      if (length > MAX_BODY) throw tooLarge();
      chunks.push(chunk);
    }
    bytes = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid([{ pointer: "", message: "is not UTF-8" }]);
  }
}
