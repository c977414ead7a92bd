// The one shim of all functions: it reads the request, asks the WASM core what to do, does that, and
// sends the core's reply. It holds no business rule.
import { type Body, readBody } from "./body.ts";
import type { Core, Profile, Reply, Step, Target } from "./core.ts";
import { readSettings } from "./env.ts";
import { lookUp } from "./names.ts";
import { nowMs, within } from "./time.ts";
import { type Outgoing, outgoing, send } from "./upstream.ts";

/** Taken in of a body that is too large. */
const DRAIN_BYTES = 4 * 1024 * 1024;

/** Where the database reads the request's id: what is on the way there may have an `x-request-id` of its own. */
const REQUEST_ID = "interlock-request-id";

/** The same name on its way here and to the database. */
const SHOP = "x-shop";

export type Handler = (request: Request) => Promise<Response>;

/**
 * Waits for the products in a body; resolves with what gives them back, if any were taken. Here, because whatever a file
 * imports is uploaded with it, and only some functions have a gate.
 */
export type Gate = (body: string) => Promise<(() => void) | undefined>;

/** A handler for the function whose core this is; behind a gate, if there is one. */
export function serve(
  core: Core,
  settings = readSettings(),
  gate?: Gate,
): Handler {
  const { profile, log, answerHeaders } = core.profile(settings);
  if (log !== null) console.error(log);
  // What says who calls.
  const proofHeaders = (profile?.signatureHeader ?? "authorization").split(" ");

  function respond([, status, own, body, log]: Reply): Response {
    if (log !== undefined) console.log(log);
    const headers = JSON.parse(own);
    return new Response(body, {
      status,
      headers: body === undefined ? headers : { ...answerHeaders, ...headers },
    });
  }

  return async (request) => {
    const proof = proofHeaders.map((name) => request.headers.get(name) ?? "")
      .join(" ");
    const id = crypto.randomUUID();
    const { conditional, routed, signatureHeader } = profile ?? {};
    const shop = shopOf(request, !!signatureHeader);
    const head = headOf(request, id, proof, shop, conditional, routed);
    if (profile === null) return respond(core.misconfigured(head));
    try {
      return respond(
        await exchange(core, profile, request, id, head, proof, shop, gate),
      );
    } catch (error) {
      // Errors are values; whatever is thrown is a trap, and the instance may be half written. Other
      // requests in flight carry their own state.
      core.__wbg_reset_state();
      // Its name only: a message may quote the request.
      return respond(
        core.trapped(head, error instanceof Error ? error.name : ""),
      );
    }
  };
}

/** By what the log knows a request, told to the database, so that its books have it, too. The core says the same by the same rule. */
function knownBy(given: string | null, fresh: string): string {
  return given !== null && /^[!-~]{1,128}$/.test(given) ? given : fresh;
}

/** Which shop a request is about. A sender of signed texts may have no say in its headers, but has one in the URL. */
function shopOf({ headers, url }: Request, signed: boolean): string | null {
  const shop = headers.get(SHOP);
  if (shop !== null || !signed) return shop;
  // As it stands there: no shop is called what would have to be decoded, and no line end comes of it.
  return /[?&]shop=([^&#]*)/.exec(url)?.[1] ?? null;
}

/** All of a request but its body, in lines: one text is cheaper across the boundary than seven. No header has a line end. */
function headOf(
  { method, headers, url }: Request,
  id: string,
  proof: string,
  shop: string | null,
  conditional?: true,
  routed?: true,
): string {
  if (routed && method === "PUT") method += ` ${new URL(url).pathname}`;
  const key = headers.get("idempotency-key");
  let head = `${method}\n${id}\n${headers.get("x-request-id") ?? ""}\n${
    headers.get("content-type") ?? ""
  }\n${proof}\n${shop === null ? "" : `=${shop}`}`;
  if (conditional) {
    const guard = headers.get("if-match");
    head += guard === null ? "\n" : `\n=${guard}`;
  }
  return key === null ? head : `${head}\n${key}`;
}

/** The steps of a request, up to the reply. */
async function exchange(
  core: Core,
  profile: Profile,
  request: Request,
  id: string,
  head: string,
  proof: string,
  shop: string | null,
  gate: Gate | undefined,
): Promise<Reply> {
  const { timeoutMs } = profile;
  const own: Record<string, string> = {
    [REQUEST_ID]: knownBy(request.headers.get("x-request-id"), id),
  };
  // What comes beside a signature is nobody's here.
  if (profile.signatureHeader === null) own.authorization = proof;
  if (shop !== null) own[SHOP] = shop;
  const { text, fault } = await within<Body>(
    timeoutMs,
    readBody(request, profile.maxBodyBytes, DRAIN_BYTES),
    { fault: "aborted" },
  );
  const startedMs = nowMs();
  // A token's end is a time of the clock on the wall; nothing else is.
  const cameMs = Date.now();
  const step: Step = text === undefined
    ? core.beginWithout(head, fault, cameMs, timeoutMs)
    : core.begin(head, text, cameMs, timeoutMs);
  // What is refused by now asks nobody.
  const giveBack = gate && step[0] && text !== undefined
    ? await gate(text)
    : undefined;
  try {
    return await calls(core, profile, step, own, startedMs);
  } finally {
    giveBack?.();
  }
}

/** The calls of a request, up to the reply. */
async function calls(
  core: Core,
  profile: Profile,
  step: Step,
  own: Record<string, string>,
  startedMs: number,
): Promise<Reply> {
  let call: Outgoing | undefined;
  while (step[0]) {
    const [, state, body, delayMs, timeoutMs, written] = step;
    const target: Target | undefined = written && JSON.parse(written);
    if (target?.each) {
      const replies = await Promise.all(
        target.each.map(({ state, body, timeoutMs, target }) => {
          const written = JSON.stringify(target);
          const step: Step = [true, state, body, 0, timeoutMs, written];
          return calls(core, profile, step, own, startedMs);
        }),
      );
      for (const [, status, , , log] of replies) {
        // What became of the others is in the answer.
        if (status >= 400) console.log(log);
      }
      const text = `{"replies":[${replies.map((reply) => reply[3])}]}`;
      const elapsedMs = nowMs() - startedMs;
      const random = Math.random();
      step = core.resume(state, 200, text, false, undefined, elapsedMs, random);
      continue;
    }
    const names = target?.to === "names";
    if (!names && (body !== undefined || !call)) {
      call = outgoing(profile, own, body, target);
    }
    const outcome = names
      ? await lookUp(target.path, timeoutMs)
      : await send(call!, profile.maxAnswerBytes, delayMs, timeoutMs);
    const elapsedMs = nowMs() - startedMs;
    step = typeof outcome === "string"
      ? core.resumeWithout(state, outcome, elapsedMs, Math.random())
      : core.resume(
        state,
        outcome.status,
        outcome.text,
        outcome.replayed,
        outcome.retryAfterS,
        elapsedMs,
        Math.random(),
      );
  }
  return step;
}
