// The one shim of all functions: it reads the request, asks the WASM core what to do, does that, and
// sends the core's reply. It holds no business rule.
import { type Body, readBody } from "./body.ts";
import type { Core, Profile, Reply, Step } from "./core.ts";
import { readSettings } from "./env.ts";
import { nowMs, within } from "./time.ts";
import { send } from "./upstream.ts";

/** Taken in of a body that is too large. */
const DRAIN_BYTES = 4 * 1024 * 1024;

export type Handler = (request: Request) => Promise<Response>;

/** A handler for the function whose core this is. */
export function serve(core: Core, settings = readSettings()): Handler {
  const { url, key, timeoutMs } = settings;
  const { name, profile, error, answerHeaders } = core.profile(
    url,
    key,
    timeoutMs,
  );

  function respond([, status, own, body, log]: Reply): Response {
    if (log !== undefined) console.log(log);
    const headers = JSON.parse(own);
    return new Response(body, {
      status,
      headers: body === undefined ? headers : { ...answerHeaders, ...headers },
    });
  }

  if (profile === null) {
    // Answer every request rather than fail to boot: the platform would hide the reason.
    console.error(JSON.stringify({
      level: "error",
      function: name,
      outcome: "MISCONFIGURED",
      cause: "settings",
      reason: error,
    }));
    return ({ method, headers }) => {
      const requestId = headers.get("x-request-id");
      // A preflight succeeds, or a browser would show an error of its own and not ours.
      const reply = method === "OPTIONS"
        ? core.beginWithout(method, "aborted", 0, 0) as Reply
        : core.unable(requestId, crypto.randomUUID());
      return Promise.resolve(respond(reply));
    };
  }

  return async (request) => {
    const id = crypto.randomUUID();
    const requestId = request.headers.get("x-request-id");
    try {
      return respond(await exchange(core, profile, request, requestId, id));
    } catch (error) {
      // Errors are values; whatever is thrown is a trap, and the instance may be half written. Other
      // requests in flight carry their own state.
      core.__wbg_reset_state();
      // Its name only: a message may quote the request.
      const thrown = error instanceof Error ? error.name : "";
      return respond(core.unable(requestId, id, thrown));
    }
  };
}

/** The steps of a request, up to the reply. */
async function exchange(
  core: Core,
  profile: Profile,
  request: Request,
  requestId: string | null,
  id: string,
): Promise<Reply> {
  const { headers } = request;
  const { timeoutMs } = profile;
  const { text, fault } = await within<Body>(
    timeoutMs,
    readBody(request, profile.maxBodyBytes, DRAIN_BYTES),
    { fault: "aborted" },
  );
  const authorization = headers.get("authorization") ?? "";
  const key = headers.get("idempotency-key");
  // One text is cheaper across the boundary than six. No header has a line end in it.
  let head = `${request.method}\n${id}\n${requestId ?? ""}\n${
    headers.get("content-type") ?? ""
  }\n${authorization}`;
  if (key !== null) head += `\n${key}`;
  const startedMs = nowMs();
  // A token's end is a time of the clock on the wall; nothing else is.
  const cameMs = Date.now();
  let step: Step = text === undefined
    ? core.beginWithout(head, fault, cameMs, timeoutMs)
    : core.begin(head, text, cameMs, timeoutMs);
  let sent = "";
  while (step[0]) {
    const [, state, body = sent, delayMs, timeoutMs] = step;
    sent = body;
    const outcome = await send(profile, {
      body,
      authorization,
      delayMs,
      timeoutMs,
    });
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
