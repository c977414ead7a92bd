// A checkout with supabase-js, whose SQL is one function.
import { clientOf, fail } from "../_shared/client.ts";
import { type Call, handler } from "../_shared/handler.ts";

const call: Call = async ({ args, authorization }, timeout) => {
  const { data, error, status } = await clientOf(authorization)
    .rpc("bench_select_for_update", {
      p_cart_items: args.p_cart_items,
      p_idempotency_key: args.p_idempotency_key,
    })
    .abortSignal(AbortSignal.timeout(timeout));
  if (error) return fail(status, error);
  return { kind: "done", body: JSON.stringify(data), replayed: false };
};

export default { fetch: handler(call) };
