// supabase-js as Supabase's guide shows it: a client for each request, as the caller.
import { createClient, type PostgrestError } from "@supabase/supabase-js";
import { key, url } from "./env.ts";
import type { Outcome } from "./handler.ts";

export const clientOf = (authorization: string) =>
  createClient(url, key, {
    global: { headers: { Authorization: authorization } },
    // A function keeps no session.
    auth: {
      persistSession: false,
      autoRefreshToken: false,
      detectSessionInUrl: false,
    },
  });

/** What the API refused, as it says it. */
export const fail = (status: number, error: PostgrestError): Outcome => ({
  kind: "error",
  status,
  code: error.code,
  message: error.message,
  details: error.details,
  hint: error.hint,
});
