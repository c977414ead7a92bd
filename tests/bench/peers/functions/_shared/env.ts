// The project's address and the key that a function calls it with.

export const url = Deno.env.get("SUPABASE_URL") ?? "";
export const key = publishableKey() ?? Deno.env.get("SUPABASE_ANON_KEY") ?? "";

function publishableKey(): string | undefined {
  const keys = Deno.env.get("SUPABASE_PUBLISHABLE_KEYS");
  return keys ? JSON.parse(keys).default : undefined;
}

/** Whether Deno says that there was no connection, so that nothing was sent. */
export function neverConnected(message: string): boolean {
  return message.includes("client error (Connect)");
}
