// Makes a call and says what came of it. It decides nothing and never throws.
import { readBody, readStart } from "./body.ts";
import type { NoAnswer, Place, Profile } from "./core.ts";
import { deadline, sleep } from "./time.ts";

/** A call that is ready to be made, as often as it takes. */
export interface Outgoing {
  /** Undefined for an outlet whose key is not set. */
  url: string | undefined;
  method: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** Whether it goes to anybody: then an answer is one whatever its body. */
  isAnybodys?: true;
}

/** Of what anybody answers so much is kept. */
const KEPT_BYTES = 1_024;

/**
 * `own` has what of this request goes to PostgREST alone: its id, its shop, and the caller's token if the call is made as the caller. The
 * third party's key goes to nobody else.
 */
export function outgoing(
  profile: Profile,
  own: Record<string, string>,
  body: string | undefined,
  target: Place | undefined,
): Outgoing {
  const rpc = {
    url: profile.url,
    method: profile.method,
    headers: { ...profile.headers, ...own },
    body,
  };
  if (target === undefined) return rpc;
  const { to, method, path, headers, outlet } = target;
  // An RPC's name is the last part of its URL.
  if (to === "rpc") {
    return { ...rpc, url: profile.url.replace(/[^/]*$/, path) };
  }
  if (to === "anybody") {
    const call = {
      url: path,
      method,
      headers,
      body,
      isAnybodys: true,
    } as const;
    if (outlet === undefined) return call;
    const api = profile.outlets?.[outlet];
    return {
      ...call,
      url: api && api.url + path,
      headers: { ...headers, ...api?.headers },
    };
  }
  const { url, headers: common } = profile.thirdParty!;
  return {
    url: url + path,
    method,
    headers: { ...common, ...headers },
    body: body || undefined,
  };
}

export interface Answer {
  status: number;
  text: string;
  replayed: boolean;
  /** See `secondsToWait`. */
  retryAfterS: number | undefined;
}

export async function send(
  { url, isAnybodys, ...request }: Outgoing,
  maxAnswerBytes: number,
  delayMs: number,
  timeoutMs: number,
): Promise<Answer | NoAnswer> {
  if (url === undefined) return "unset";
  if (delayMs > 0) await sleep(delayMs);
  const controller = new AbortController();
  const { signal } = controller;
  const met = deadline(timeoutMs, () => controller.abort());
  try {
    const response = await fetch(url, {
      ...request,
      redirect: "manual",
      signal,
    });
    const { text, fault } = isAnybodys
      ? await readStart(response, KEPT_BYTES)
      : await readBody(response, maxAnswerBytes);
    if (text !== undefined) {
      const { status, headers } = response;
      const replayed = headers.get("idempotent-replayed") === "true";
      const retryAfterS = secondsToWait(headers.get("retry-after"));
      return { status, text, replayed, retryAfterS };
    }
    if (fault !== "aborted") return "unreadable";
    return signal.aborted ? "timed_out" : "broken";
  } catch (error) {
    if (signal.aborted) return "timed_out";
    return neverConnected(error) ? "unsent" : "broken";
  } finally {
    met();
  }
}

/** What a `Retry-After` says: seconds, or a date (RFC 9110 §10.2.3). NaN if it says neither. */
export function secondsToWait(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  // `Date.parse` alone makes dates of much that is none, "-5" for one.
  if (!/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(header)) return NaN;
  return Math.max(0, (Date.parse(header) - Date.now()) / 1_000);
}

/**
 * Deno names the phase that failed: "client error (Connect)" means nothing was
 * sent. Today's versions say it in the cause, 2.1 in the message itself.
 */
function neverConnected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return `${error.message} ${cause}`.includes("client error (Connect)");
}
