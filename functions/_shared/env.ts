// The one place that reads the environment.

import type { Settings } from "./core.ts";

/** The settings of a function; of one that asks a third party, or has outlets, also those that begin with their names. */
export function readSettings(
  thirdParty?: string,
  outlets: string[] = [],
): Settings {
  const settings: Settings = {
    url: read("SUPABASE_URL"),
    key: publishableKey() ?? read("SUPABASE_ANON_KEY"),
    timeoutMs: read("INTERLOCK_UPSTREAM_TIMEOUT_MS"),
  };
  if (outlets.length > 0) {
    settings.outlets = Object.fromEntries(outlets.map((name) => [name, {
      url: read(`${name}_API_URL`),
      key: read(`${name}_API_KEY`),
      header: read(`${name}_API_HEADER`),
    }]));
  }
  if (thirdParty === undefined) return settings;
  return {
    ...settings,
    thirdPartyUrl: read(`${thirdParty}_API_URL`),
    thirdPartyKey: read(`${thirdParty}_SECRET_KEY`),
  };
}

function read(name: string): string | null {
  return Deno.env.get(name) ?? null;
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
