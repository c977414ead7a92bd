/** Interlock from an app: typed calls, keys that survive a reload, retries that cannot buy twice. */
export type { Answers, Calls, Parameters } from "./calls.ts";
export { line } from "./cart.ts";
export {
  type CallOptions,
  Interlock,
  type InterlockOptions,
  type KeyedOptions,
} from "./client.ts";
export type { DatabaseOptions } from "./database.ts";
export {
  type CatalogueCode,
  type ClientCode,
  ConcurrencyConflictError,
  type Conflict,
  type Details,
  InterlockError,
  type StockState,
} from "./error.ts";
export type { Inventory } from "./inventory.ts";
export { setRandomBytes } from "./random.ts";
export type { Replica } from "./replica.ts";
export type { Functions } from "./rpcs.ts";
export { type KeyStore, Submission, submission } from "./submission.ts";
export type {
  Batch,
  CardPayment,
  CartLine,
  CheckoutRequest,
  InventoryAction,
  InventoryChanged,
  InventoryLines,
  InventoryRow,
  InventoryTerms,
  NewRow,
  Order,
  Packed,
  PackingCompleted,
  PackRequest,
  PromoQuote,
  PromoRelease,
  PromoRequest,
  Row,
  RowChange,
  Table,
} from "./types.ts";
