// The one place that reads the environment.

/** What the core needs of it; `null` for what is not set. */
export interface Settings {
  url: string | null;
  key: string | null;
  timeoutMs: string | null;
}

export function readSettings(): Settings {
  return {
    url: Deno.env.get("SUPABASE_URL") ?? null,
    key: publishableKey() ?? Deno.env.get("SUPABASE_ANON_KEY") ?? null,
    timeoutMs: Deno.env.get("INTERLOCK_UPSTREAM_TIMEOUT_MS") ?? null,
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
