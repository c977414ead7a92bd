import type { CallOptions, KeyedOptions } from "./client.ts";
import type {
  InventoryChanged,
  InventoryLines,
  InventoryRow,
  InventoryTerms,
} from "./types.ts";

/** How the client calls the function; without a key where it only reads. */
export interface Calls {
  read(
    body: Record<string, unknown>,
    options: CallOptions,
  ): Promise<unknown>;
  write(
    body: Record<string, unknown>,
    options: KeyedOptions,
  ): Promise<unknown>;
}

/**
 * What is in stock, by location; for staff. Up to 100 lines, all or nothing. What is said relatively is never in
 * conflict; a `set`, or an `adjust` with an `expected_version`, throws a `ConcurrencyConflictError` where the stock is
 * another one by then.
 */
export class Inventory {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** What there is, with its versions. */
  async get(
    lines: InventoryLines<"get">,
    options: CallOptions = {},
  ): Promise<InventoryRow[]> {
    const answer = await this.#calls.read({ action: "get", lines }, options);
    return (answer as { lines: InventoryRow[] }).lines;
  }

  /** What came or went. */
  adjust(
    lines: InventoryLines<"adjust">,
    terms: InventoryTerms<"adjust"> = {},
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "adjust", lines }, options);
  }

  /**
   * Sets what was read before. With `rebase` the difference between `quantity` and `expected_quantity` is meant: where
   * others came first it is applied to what they have left.
   */
  set(
    lines: InventoryLines<"set">,
    terms: InventoryTerms<"set"> = {},
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "set", lines }, options);
  }

  /** What was counted, and when counting began: what was sold since then is taken off. */
  count(
    lines: InventoryLines<"count">,
    terms: InventoryTerms<"count"> = {},
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "count", lines }, options);
  }

  /** Goods that came in; with a `transfer_id` those that were sent. */
  receive(
    lines: InventoryLines<"receive">,
    terms: InventoryTerms<"receive"> = {},
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "receive", lines }, options);
  }

  /** Moves goods between two locations; with `in_transit` they are only sent, and the answer has the `transfer_id`. */
  transfer(
    lines: InventoryLines<"transfer">,
    terms: InventoryTerms<"transfer"> = {},
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "transfer", lines }, options);
  }

  /** Calls a transfer back: what has not been received goes back to where it came from. */
  cancel(
    terms: InventoryTerms<"cancel">,
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "cancel" }, options);
  }

  /** What was sent and will never arrive. */
  lose(
    lines: InventoryLines<"lose">,
    terms: InventoryTerms<"lose">,
    options: KeyedOptions = {},
  ): Promise<InventoryChanged> {
    return this.#write({ ...terms, action: "lose", lines }, options);
  }

  async #write(
    body: Record<string, unknown>,
    options: KeyedOptions,
  ): Promise<InventoryChanged> {
    return await this.#calls.write(body, options) as InventoryChanged;
  }
}
