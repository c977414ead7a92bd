import { InterlockError } from "./error.ts";
import type { Calls } from "./calls.ts";
import { Quotes, sameCheckout } from "./cart.ts";
import { database } from "./database.ts";
import { Inventory } from "./inventory.ts";
import { freshId } from "./random.ts";
import { Reads, type Replica } from "./replica.ts";
import { type Limits, persist } from "./retry.ts";
import type { Functions } from "./rpcs.ts";
import type { Submission } from "./submission.ts";
import {
  callFunction,
  callRpc,
  inShop,
  type Shop,
  type Supabase,
} from "./transport.ts";
import type {
  Batch,
  BatchAction,
  CardPayment,
  CheckoutRequest,
  Order,
  Packed,
  PackingCompleted,
  PackRequest,
  PromoQuote,
  PromoRelease,
  PromoRequest,
} from "./types.ts";

/** How all calls are made. */
export interface InterlockOptions extends Pick<CallOptions, "budgetMs"> {
  /**
   * Which shop all calls are about, by its id or its handle, where an installation serves many. Unless it says otherwise that
   * which the token is bound to, or shop 1.
   */
  shop?: Shop;
  /**
   * Where database functions are called that only read, but for those of which this client has just written something that is not
   * there yet. The primary, too, is read from wherever the replica does not answer.
   */
  replica?: Replica;
}

/** How one call is made. */
export interface CallOptions {
  /** Milliseconds for a call with all its repetitions; 30 000 unless it says otherwise. */
  budgetMs?: number;
  /** Gives the call up. What it has set going may still take effect. */
  signal?: AbortSignal;
}

/** How a call is made that acts once for each key. Without any of these each call has a key of its own. */
export interface KeyedOptions extends CallOptions {
  /** Keeps the key until the submission has succeeded, over reloads too. */
  submission?: Submission;
  /** A key of your own making. */
  idempotencyKey?: string;
}

/** The functions of Interlock over a supabase-js client. A call resolves, or throws an `InterlockError`. */
export class Interlock {
  readonly #supabase: Supabase;
  readonly #budgetMs: number;
  readonly #reads: Reads | undefined;
  readonly #quotes = new Quotes();
  /** What is in stock, by location; for staff. */
  readonly inventory: Inventory = new Inventory({
    read: (body, options) => this.#send("inventory", body, options),
    write: (body, options) => this.#keyed("inventory", body, options),
  });

  /** Every database function by its own name; each call as `rpc` makes it, with parameters without `p_` and a typed answer. */
  readonly database: Calls = database((name, parameters, options) =>
    this.rpc(name, parameters, options)
  );

  constructor(supabase: Supabase, options: InterlockOptions = {}) {
    const { replica, shop } = options;
    this.#supabase = inShop(supabase, shop);
    this.#budgetMs = options.budgetMs ?? 30_000;
    this.#reads = replica && new Reads(this.#supabase, {
      ...replica,
      supabase: inShop(replica.supabase, shop),
    });
  }

  /** Says that something was written past this client: what it reads next has that, also from a replica. */
  wrote(): void {
    this.#reads?.wrote();
  }

  /** Claims this batch, or the next available one. */
  claimRoute(
    batchId?: string | null,
    options: KeyedOptions = {},
  ): Promise<Batch> {
    return this.#batch("claim", batchId ?? undefined, options);
  }

  /** Renews the lease on a batch that the driver holds. */
  renew(batchId: string, options: KeyedOptions = {}): Promise<Batch> {
    return this.#batch("renew", batchId, options);
  }

  /** Gives a batch back. */
  release(batchId: string, options: KeyedOptions = {}): Promise<Batch> {
    return this.#batch("release", batchId, options);
  }

  /** Sets out with a batch; renews its lease too. */
  start(batchId: string, options: KeyedOptions = {}): Promise<Batch> {
    return this.#batch("start", batchId, options);
  }

  /** Says that a batch is delivered. */
  complete(batchId: string, options: KeyedOptions = {}): Promise<Batch> {
    return this.#batch("complete", batchId, options);
  }

  /**
   * Turns a cart into an order. Give it a `submission`, so that a reload cannot make it two. The total that
   * `promoValidate`, or the latest `PRICE_CHANGED`, has told of this cart is sent as `expected_total` unless the
   * request has one.
   */
  async checkout(
    request: CheckoutRequest,
    options: KeyedOptions = {},
  ): Promise<Order> {
    const expected = this.#quotes.totalOf(request);
    const body = expected === undefined
      ? { ...request }
      : { expected_total: expected, ...request };
    const same = { checkout: sameCheckout(request) };
    try {
      const answer = await this.#keyed("checkout", body, options, same);
      this.#quotes.tell(request, null);
      return (answer as { order: Order }).order;
    } catch (error) {
      if (error instanceof InterlockError && error.is("PRICE_CHANGED")) {
        this.#quotes.tell(request, error.details?.total ?? null);
      }
      throw error;
    }
  }

  /**
   * What Stripe's own code needs to let the buyer pay an order by card: the same each time, until Stripe gives it up.
   * The order is paid when Stripe has told the shop; read it again then.
   */
  async paymentIntent(
    orderId: string,
    options: CallOptions = {},
  ): Promise<CardPayment> {
    const body = { order_id: orderId };
    const answer = await this.#function("payment-intent", body, options);
    return (answer as { payment: CardPayment }).payment;
  }

  /** What a code takes off; holds one use of it for the cart unless it is a dry run. */
  async promoValidate(
    request: PromoRequest,
    options: CallOptions = {},
  ): Promise<PromoQuote> {
    const quote = await this.#function(
      "promo-validate",
      request,
      options,
    ) as PromoQuote;
    this.#quotes.keep(request, quote);
    return quote;
  }

  /** Gives the cart's hold on a code back. */
  async releasePromo(
    request: { code: string; cart_id?: string },
    options: CallOptions = {},
  ): Promise<PromoRelease> {
    const body = { ...request, action: "release" };
    return await this.#function(
      "promo-validate",
      body,
      options,
    ) as PromoRelease;
  }

  /** Completes an order at the packing table; for whoever works there. */
  pack(
    request: PackRequest & { action: "complete" },
    options?: KeyedOptions,
  ): Promise<PackingCompleted>;
  /** One scan at the packing table. Two calls are two scans. */
  pack(
    request: PackRequest & { action?: "pack" | "unpack" | "short" },
    options?: KeyedOptions,
  ): Promise<Packed>;
  pack(request: PackRequest, options: KeyedOptions = {}): Promise<unknown> {
    return this.#keyed("pack", { ...request }, options);
  }

  /**
   * Calls a database function by its name, with its own parameters, as docs/api.md has them. It is sent again only where
   * the database has taken it back: of one that got no answer it is not known whether it took effect, unless `repeatable`
   * says that a second one does no harm, as where it only reads, or has a reference or a key.
   */
  async rpc<Name extends keyof Functions>(
    name: Name,
    parameters: Functions[Name]["Args"],
    { repeatable = false, ...options }: CallOptions & { repeatable?: boolean } =
      {},
  ): Promise<Functions[Name]["Returns"]> {
    const answer = await this.#rpc(
      name,
      { ...parameters },
      options,
      repeatable,
    );
    return answer as Functions[Name]["Returns"];
  }

  /** The exact stock of products, and how many of each can be ordered. */
  getStock(
    productIds: string[],
    options: CallOptions = {},
  ): Promise<Functions["get_stock"]["Returns"]> {
    const parameters = { p_product_ids: productIds };
    return this.rpc("get_stock", parameters, { ...options, repeatable: true });
  }

  /** Cancels an order of the signed-in user that is not paid yet. */
  cancelOrder(orderId: string, options: CallOptions = {}): Promise<Order> {
    return this.#order("cancel_order", { p_order_id: orderId }, options);
  }

  /** Hands in a proof of payment that was uploaded to the bucket `payment-proofs`. */
  submitPaymentProof(
    orderId: string,
    objectPath: string,
    options: CallOptions = {},
  ): Promise<Order> {
    const parameters = { p_order_id: orderId, p_object_path: objectPath };
    return this.#order("submit_payment_proof", parameters, options);
  }

  async #batch(
    action: BatchAction,
    batchId: string | undefined,
    options: KeyedOptions,
  ): Promise<Batch> {
    const body = batchId === undefined
      ? { action }
      : { batch_id: batchId, action };
    const answer = await this.#keyed("claim-route", body, options);
    return (answer as { batch: Batch }).batch;
  }

  #keyed(
    name: string,
    body: Record<string, unknown>,
    options: KeyedOptions,
    same?: unknown,
  ): Promise<unknown> {
    const send = (key: string) =>
      this.#function(name, body, options, { "Idempotency-Key": key });
    const { submission, idempotencyKey } = options;
    if (submission) return submission.run({ [name]: body }, send, same);
    return send(idempotencyKey ?? freshId());
  }

  async #function(
    name: string,
    body: Record<string, unknown>,
    options: CallOptions,
    headers?: Record<string, string>,
  ): Promise<unknown> {
    try {
      return await this.#send(name, body, options, headers);
    } finally {
      // One that got no answer may have written as well.
      this.wrote();
    }
  }

  #send(
    name: string,
    body: Record<string, unknown>,
    options: CallOptions,
    headers: Record<string, string> = {},
  ): Promise<unknown> {
    // One id for all attempts: the log shows them together, also one that nobody heard the answer of.
    const identified = { ...headers, "x-request-id": freshId() };
    return persist(
      (signal) => callFunction(this.#supabase, name, body, identified, signal),
      this.#limits(options),
    );
  }

  async #order(
    name: string,
    parameters: Record<string, unknown>,
    options: CallOptions,
  ): Promise<Order> {
    const answer = await this.#rpc(name, parameters, options, true);
    return (answer as { order: Order }).order;
  }

  #rpc(
    name: string,
    parameters: Record<string, unknown>,
    options: CallOptions,
    repeatable: boolean,
  ): Promise<unknown> {
    const atPrimary = (limits: Limits) =>
      persist(
        (signal) =>
          callRpc(this.#supabase, name, parameters, signal, repeatable),
        limits,
      );
    const limits = this.#limits(options);
    if (!this.#reads) return atPrimary(limits);
    return this.#reads.rpc(name, parameters, limits, atPrimary);
  }

  #limits({ budgetMs = this.#budgetMs, signal }: CallOptions): Limits {
    return { budgetMs, signal };
  }
}
