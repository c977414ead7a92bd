// checkout in TypeScript, with fetch alone.
import { key, neverConnected, url } from "../_shared/env.ts";
import { type Call, handler } from "../_shared/handler.ts";

const call: Call = async ({ args, authorization }, timeout) => {
  const signal = AbortSignal.timeout(timeout);
  try {
    const response = await fetch(`${url}/rest/v1/rpc/checkout`, {
      method: "POST",
      headers: {
        apikey: key,
        authorization,
        "content-type": "application/json",
      },
      body: JSON.stringify(args),
      signal,
    });
    const body = await response.text();
    if (response.ok) {
      const replayed = response.headers.get("idempotent-replayed") === "true";
      return { kind: "done", body, replayed };
    }
    return { kind: "error", status: response.status, ...parseError(body) };
  } catch (error) {
    if (signal.aborted) return { kind: "timedOut" };
    const { message, cause } = error as Error;
    return {
      kind: neverConnected(`${message} ${cause}`) ? "unsent" : "broken",
    };
  }
};

function parseError(body: string) {
  const none = { code: "", message: "", details: null, hint: null };
  try {
    return { ...none, ...JSON.parse(body) };
  } catch {
    return none; // A proxy answered.
  }
}

export default { fetch: handler(call) };
