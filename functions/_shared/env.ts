// The one place that reads the environment.
import type { Settings } from "./core.ts";

export function readSettings(): Settings {
  return {
    url: Deno.env.get("SUPABASE_URL") ?? null,
    key: publishableKey() ?? Deno.env.get("SUPABASE_ANON_KEY") ?? null,
    timeout: Deno.env.get("INTERLOCK_UPSTREAM_TIMEOUT_MS") ?? null,
  };
}

/** The platform gives the publishable keys as JSON: `{"default": "sb_publishable_…"}`. */
function publishableKey(): string | undefined {
  try {
    return JSON.parse(Deno.env.get("SUPABASE_PUBLISHABLE_KEYS") ?? "{}")
      .default;
  } catch {
    return undefined; // Not JSON: the legacy key may still be there.
  }
}
