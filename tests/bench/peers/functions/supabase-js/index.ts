// checkout in TypeScript, with supabase-js: a client for each request, as Supabase's guide shows.
import { createClient } from "@supabase/supabase-js";
import { key, neverConnected, url } from "../_shared/env.ts";
import { type Call, handler } from "../_shared/handler.ts";

const call: Call = async ({ args, authorization }, timeout) => {
  const signal = AbortSignal.timeout(timeout);
  let replayed = false;
  const client = createClient(url, key, {
    global: {
      headers: { Authorization: authorization },
      // The library does not hand on the headers of an answer.
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        replayed = response.headers.get("idempotent-replayed") === "true";
        return response;
      },
    },
    // A function keeps no session.
    auth: {
      persistSession: false,
      autoRefreshToken: false,
      detectSessionInUrl: false,
    },
  });
  const { data, error, status } = await client
    .rpc("checkout", args)
    .abortSignal(signal);
  if (error === null) {
    return { kind: "done", body: JSON.stringify(data), replayed };
  }
  if (status !== 0) return { kind: "error", status, ...error };
  if (signal.aborted) return { kind: "timedOut" };
  const unsent = neverConnected(`${error.message} ${error.details}`);
  return { kind: unsent ? "unsent" : "broken" };
};

export default { fetch: handler(call) };
