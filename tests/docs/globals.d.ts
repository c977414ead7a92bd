// What the pages' examples speak of without making it.
import type {
  createClient as makeClient,
  SupabaseClient,
} from "@supabase/supabase-js";
import type * as Client from "../../packages/client/src/index.ts";
import type * as Live from "../../packages/client/src/live.ts";
import type * as Packing from "../../packages/client/src/packing.ts";
import type * as ReactHooks from "../../packages/client/src/react.ts";
import type { Functions } from "../../packages/client/src/rpcs.ts";
import type { Database } from "../../docs/database.types.ts";

declare global {
  /** RPCs answer JSON, whose shape their page says: its members may be named. */
  const supabase:
    & {
      rpc<Name extends keyof Functions>(
        name: Name,
        args?: Functions[Name]["Args"],
      ): Promise<{
        // deno-lint-ignore no-explicit-any
        data: any;
        error: { message: string; code: string; details: string } | null;
      }>;
    }
    & SupabaseClient<Database>;
  const shop: Client.Interlock;
  // What one block imports, the next ones use.
  const createClient: typeof makeClient;
  const Interlock: typeof Client.Interlock;
  const line: typeof Client.line;
  const submission: typeof Client.submission;
  const ConcurrencyConflictError: typeof Client.ConcurrencyConflictError;
  const { followOrder, followBatches, followStock }: typeof Live;
  const packing: typeof Packing.packing;
  const { useCheckout, useClaim, useStock, usePacking }: typeof ReactHooks;

  // What an app has: ids, what its user has typed, and rows of its own.
  const url: string;
  const replicaUrl: string;
  const key: string;
  const publishableKey: string;
  const id: string;
  const product_id: string;
  const productId: string;
  const inventory_id: string;
  const order_id: string;
  const orderId: string;
  const p_order_id: string;
  const sessionId: string;
  const registerId: string;
  const customerId: string;
  const store: string;
  const warehouse: string;
  const receipt: string;
  const tracking: string;
  const email: string;
  const password: string;
  const cart_id: string;
  const submissionId: string;
  const expected_version: number;
  const return_url: string;
  const file: Blob;
  const cart_items: { product_id: string; quantity: number }[];
  const product: Client.Row<"products">;
  const sale: { id: string };

  // What an app does.
  function show(...what: unknown[]): void;
  function list(what: unknown): void;
  function badge(what: unknown): void;
  function mark(what: unknown): void;
  function say(what: string): void;
  function ask(...what: unknown[]): void;
  function read(what: string): void;
  function print(what: unknown): void;
  function haveSeen(id: string): Promise<boolean>;
  function handle(event: unknown): Promise<void>;
  /** Stripe's own code in the page. */
  const stripe: {
    elements(options: { clientSecret: string }): unknown;
    confirmPayment(
      options: { elements: unknown; confirmParams: { return_url: string } },
    ): Promise<void>;
  };
}
