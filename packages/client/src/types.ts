// The client's names for what docs/openapi.json describes.
import type { components } from "./api.ts";
import type { Database } from "./tables.ts";

type Schemas = components["schemas"];

export type Batch = Schemas["Batch"];
export type Order = Schemas["Order"];
/** An attempt to pay an order by card, with what Stripe's own code needs. */
export type CardPayment = Schemas["CardPayment"];
export type CheckoutRequest = Schemas["CheckoutRequest"];
export type CartLine = CheckoutRequest["cart_items"][number];

/** What a code takes off. */
export type PromoQuote = Schemas["PromoApplied"];
/** Whether there was a hold to give back. */
export type PromoRelease = Schemas["PromoReleased"];

type PromoFields = Schemas["PromoValidateRequest"];
type Basis =
  | { cart_items: CartLine[]; subtotal?: never }
  | { subtotal: number; cart_items?: never };
/** A code with what it is tried on: the lines of a cart, or an amount in minor units. */
export type PromoRequest =
  & Pick<PromoFields, "code" | "cart_id" | "dry_run">
  & Basis;

type Tables = Database["interlock"]["Tables"];
/** The name of a table, such as `"orders"`. */
export type Table = keyof Tables;
/** A row as `supabase.from(…).select()` reads it. */
export type Row<Name extends Table> = Tables[Name]["Row"];
/** A row as the shop inserts it: what the table requires is required. */
export type NewRow<Name extends Table> = Tables[Name]["Insert"];
/** What the shop may change of a row. */
export type RowChange<Name extends Table> = Tables[Name]["Update"];

/** What `inventory` is asked to do. */
export type InventoryRequest = Schemas["InventoryRequest"];
/** What `action` of inventory may be. */
export type InventoryAction = InventoryRequest["action"];
type InventoryFields<Action extends InventoryAction> = Extract<
  InventoryRequest,
  { action: Action }
>;
/** The lines of that action. */
export type InventoryLines<Action extends Exclude<InventoryAction, "cancel">> =
  InventoryFields<Action>["lines"];
/** What that action may say beside its lines. */
export type InventoryTerms<Action extends InventoryAction> = Omit<
  InventoryFields<Action>,
  "action" | "lines"
>;
/** What is sold at a till, and how it is paid; the till says which register, when, and in which shift. */
export type SaleRequest = Omit<
  Schemas["PosSaleRequest"],
  "register_id" | "client_time" | "shift_id"
>;
/** A sale at a till. */
export type Sale = Schemas["Sale"];
/** A scan at the packing table, or an order that is complete. */
export type PackRequest = Schemas["PackRequest"];
/** What a scan at the packing table has done. */
export type Packed = Schemas["Packed"];
/** An order that is complete. */
export type PackingCompleted = Schemas["PackingCompleted"];
/** What is in stock of a product at a location. */
export type InventoryRow = Schemas["InventoryRow"];
/** What has become of the rows. */
export type InventoryChanged = Schemas["InventoryChanged"];

/** What `action` of claim-route may be. */
export type BatchAction = NonNullable<Schemas["ClaimRouteRequest"]["action"]>;
/** The body of every error of the functions. */
export type ErrorBody = Schemas["Error"];
