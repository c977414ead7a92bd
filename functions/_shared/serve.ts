// The one shim of all functions: it reads the request, asks the WASM core what to do, does that, and
// sends the core's reply. It holds no business rule.
import { type Body, readBody } from "./body.ts";
import type { Core, Profile, Reply, Step } from "./core.ts";
import { readSettings } from "./env.ts";
import { within } from "./time.ts";
import { send } from "./upstream.ts";

/** Taken in of a body that is too large. */
const DRAIN_BYTES = 4 * 1024 * 1024;

export type Handler = (request: Request) => Promise<Response>;

/** A handler for the function whose core this is. */
export function serve(core: Core, settings = readSettings()): Handler {
  const { url, key, timeoutMs } = settings;
  const { profile, error, answerHeaders } = core.profile(url, key, timeoutMs);
  if (profile === null) {
    // Answer every request rather than fail to boot: the platform would hide the reason.
    console.error(
      JSON.stringify({
        level: "error",
        outcome: "MISCONFIGURED",
        cause: error,
      }),
    );
  }

  function respond([, status, own, body, log]: Reply): Response {
    if (log !== undefined) console.log(log);
    const headers = JSON.parse(own);
    return new Response(body, {
      status,
      headers: body === undefined ? headers : { ...answerHeaders, ...headers },
    });
  }

  return async (request) => {
    const id = crypto.randomUUID();
    const requestId = request.headers.get("x-request-id");
    try {
      if (profile !== null) {
        return respond(await exchange(core, profile, request, requestId, id));
      }
    } catch (error) {
      // Errors are values; whatever is thrown is a trap, and the instance may be half written. Other
      // requests in flight carry their own state.
      core.__wbg_reset_state();
      // Its name only: a message may quote the request.
      console.error(error instanceof Error ? error.name : "trap");
    }
    return respond(core.crashed(requestId, id));
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
  const now = Date.now();
  let step: Step = text === undefined
    ? core.beginWithout(head, fault, now, timeoutMs)
    : core.begin(head, text, now, timeoutMs);
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
    const now = Date.now();
    step = typeof outcome === "string"
      ? core.resumeWithout(state, outcome, now, Math.random())
      : core.resume(
        state,
        outcome.status,
        outcome.text,
        outcome.replayed,
        now,
        Math.random(),
      );
  }
  return step;
}
