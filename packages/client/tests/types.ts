// What the types promise, checked by the compiler alone: nothing here is ever run.
import type { SupabaseClient } from "@supabase/supabase-js";
import {
  ConcurrencyConflictError,
  Interlock,
  InterlockError,
  type NewRow,
  type Order,
  type Row,
} from "../dist/index.js";

interface Database {
  public: {
    Tables: Record<never, never>;
    Views: Record<never, never>;
    Functions: {
      cancel_order: { Args: { p_order_id: string }; Returns: unknown };
    };
  };
}

export async function promises(
  untyped: SupabaseClient,
  typed: SupabaseClient<Database>,
) {
  new Interlock(untyped);
  new Interlock(typed, { shop: 7 });
  new Interlock(typed, { shop: "berlin" });
  const shop = new Interlock(typed, { budgetMs: 5_000 });

  const cart = { cart_items: [{ product_id: "…", quantity: 1 }] };
  const order: Order = await shop.checkout({
    ...cart,
    payment_method: "wallet",
  });
  const codes: { code: string }[] | undefined = order.codes;

  await shop.promoValidate({ code: "A", subtotal: 1 });
  // @ts-expect-error One of cart_items and subtotal is needed.
  await shop.promoValidate({ code: "A" });
  // @ts-expect-error And not both.
  await shop.promoValidate({ code: "A", subtotal: 1, cart_items: [] });
  // @ts-expect-error A price is the database's.
  await shop.checkout({ ...cart, total: 1 });
  // @ts-expect-error There is no such way to pay.
  await shop.checkout({ cart_items: [], payment_method: "gold" });
  // @ts-expect-error Renewing needs a batch.
  await shop.renew();

  const { lines } = await shop.inventory.set(
    [{ inventory_id: "…", quantity: 6.52, expected_version: 3 }],
    { reason: "recount", rebase: true },
  );
  const left: number | undefined = lines[0]?.new_quantity;
  await shop.inventory.count(
    [{ product_id: "…", counted: left ?? 0 }],
    { began_at: new Date().toISOString() },
    { idempotencyKey: "…" },
  );
  // @ts-expect-error What is lost is a part of a transfer.
  await shop.inventory.lose([{ product_id: "…", quantity: 1 }], {});
  // @ts-expect-error An adjustment is relative.
  await shop.inventory.adjust([{ product_id: "…", quantity: 1 }]);
  const terms = { rebase: true } as const;
  const adjusted = [{ product_id: "…", delta: 1 }];
  // @ts-expect-error Only a set is rebased.
  await shop.inventory.adjust(adjusted, terms);

  const scan = { session_id: "…", order_id: "…" };
  const { basket } = await shop.pack({ ...scan, barcode: "…", quantity: 2 });
  const available: number = basket.available;
  const { shipment_id } = await shop.pack({ ...scan, action: "complete" });
  const parcel: string | null = shipment_id;
  const label = `${available} ${parcel}`;
  // @ts-expect-error There is no such action.
  await shop.pack({ ...scan, barcode: label, action: "eat" });

  return codes;
}

/** Database functions have names, parameters and answers of their own. */
export async function database(shop: Interlock, order_id: string) {
  const { order } = await shop.database.shipOrder({ order_id });
  const fulfillment: string | null | undefined = order?.fulfillment;
  const [stock] = await shop.database.getStock({ product_ids: [order_id] });
  await shop.database.expireOrders();
  // @ts-expect-error Which order?
  await shop.database.shipOrder({});
  // @ts-expect-error There is no such parameter.
  await shop.database.shipOrder({ order_id, p_tracking: "4711" });
  return [fulfillment, stock];
}

export function details(error: unknown): number | string | undefined {
  if (!(error instanceof InterlockError)) return undefined;
  if (error.is("INSUFFICIENT_INVENTORY")) {
    return error.details?.shortages[0]?.available;
  }
  if (error instanceof ConcurrencyConflictError) {
    const seen: number | null | undefined = error.conflicts[0]?.expected
      .version;
    return seen ?? error.conflicts[0]?.present.version;
  }
  if (error.is("DRIVER_BUSY")) return error.details?.batch_id;
  // @ts-expect-error The catalogue has no such code.
  if (error.is("OUT_OF_LUCK")) return undefined;
  return error.code;
}

/** Rows of the tables have the types of their columns, whatever views show them. */
export function rows(order: Row<"orders">): NewRow<"products"> {
  const total: number = order.total;
  const paid: string | null = order.paid_at;
  // @ts-expect-error A product has a price.
  const free: NewRow<"products"> = { name: paid ?? "", currency: "EUR" };
  return { ...free, price: total };
}
