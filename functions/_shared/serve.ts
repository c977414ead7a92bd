// The one shim of all functions: it reads the request, asks the WASM core what to do, does that, and
// sends the core's reply. It holds no business rule.
import { type Body, readBody } from "./body.ts";
import type { Core, CoreRequest, Host, Profile, Reply } from "./core.ts";
import { readSettings } from "./env.ts";
import { within } from "./time.ts";
import { send } from "./upstream.ts";

/** Taken in of a body that is too large. */
const DRAIN_BYTES = 4 * 1024 * 1024;

export type Handler = (request: Request) => Promise<Response>;

/** A handler for the function whose core this is. */
export function serve(core: Core, settings = readSettings()): Handler {
  const { profile, error } = core.profile(settings);
  if (profile === null) {
    // Answer every request rather than fail to boot: the platform would hide the reason.
    console.error(
      JSON.stringify({
        level: "error",
        outcome: "MISCONFIGURED",
        cause: error,
      }),
    );
    return (request) =>
      Promise.resolve(crash(core, request, crypto.randomUUID()));
  }
  return async (request) => {
    const id = crypto.randomUUID();
    const incoming = await read(request, profile, id);
    try {
      let step = core.begin(incoming);
      while (step.call) {
        const outcome = await send(profile, step.call);
        step = core.resume(step.call, outcome, host(profile, id));
      }
      return respond(step.reply);
    } catch (error) {
      // Errors are values; whatever is thrown is a trap, and the instance may be half written. Other
      // requests in flight carry their own state.
      core.__wbg_reset_state();
      // Its name only: a message may quote the request.
      console.error(error instanceof Error ? error.name : "trap");
      return crash(core, request, id);
    }
  };
}

async function read(
  request: Request,
  profile: Profile,
  id: string,
): Promise<CoreRequest> {
  const { text, fault } = await within<Body>(
    profile.timeout,
    readBody(request, profile.maxBody, DRAIN_BYTES),
    { fault: "aborted" },
  );
  return {
    method: request.method,
    authorization: request.headers.get("authorization"),
    contentType: request.headers.get("content-type"),
    requestId: request.headers.get("x-request-id"),
    idempotencyKey: request.headers.get("idempotency-key"),
    body: text ?? null,
    bodyFault: fault ?? null,
    host: host(profile, id),
  };
}

function host(profile: Profile, id: string): Host {
  return {
    now: Date.now(),
    random: Math.random(),
    id,
    timeout: profile.timeout,
  };
}

function crash(core: Core, request: Request, id: string): Response {
  const { reply } = core.crashed(request.headers.get("x-request-id"), id);
  return reply ? respond(reply) : new Response(null, { status: 500 });
}

function respond({ status, headers, body, log }: Reply): Response {
  if (log !== null) console.log(log);
  return new Response(body, { status, headers });
}
