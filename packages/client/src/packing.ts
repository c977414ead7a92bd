/** A packing table that many hands share: each scan is shown at once, and then as the database answers it. */
import { ConcurrencyConflictError, InterlockError } from "./error.ts";
import { follow, type Listening, type Message } from "./live.ts";
import { pauseBefore, persist, within } from "./retry.ts";
import { freshId } from "./submission.ts";
import {
  callFunction,
  callRpc,
  inShop,
  type Shop,
  type Supabase,
} from "./transport.ts";
import type { Packed, PackingCompleted } from "./types.ts";

export type { Packed, PackingCompleted };

/** A line of an order, as it is shown. */
export interface PackingLine {
  progressId: string;
  orderId: string;
  productId: string;
  packed: number;
  needed: number;
  short: number;
  /** Of what the database says; the higher one is the newer one. */
  version: number;
  /** Units that are shown and not answered yet. */
  underWay: number;
}

/** What there is of a product in the session, as it is shown. */
export interface PackingItem {
  productId: string;
  name: string | null;
  needed: number;
  picked: number;
  packed: number;
  available: number;
  version: number;
}

/** What a screen shows of a session. */
export interface PackingView {
  id: string;
  code: string;
  status: string;
  lines: PackingLine[];
  items: PackingItem[];
}

/** What is scanned: a product, or a barcode, which is shown when it is answered. */
export interface Scan {
  orderId: string;
  productId?: string;
  barcode?: string;
  quantity?: number;
}

/** What a broadcast says of a line (`packing.progress`). */
export interface Told {
  order_id: string;
  product_id: string;
  quantity_packed: number;
  quantity_needed: number;
  quantity_short: number;
  version: number;
  basket?: Basket;
}

/** What there is of a product in a session. */
export interface Basket {
  quantity_needed?: number;
  quantity_picked: number;
  quantity_packed: number;
  version: number;
}

/** How a table works. */
export interface PackingOptions {
  /** The shop that the session is in, by its id or its handle; shop 1 unless it says otherwise. By a handle nothing can be heard. */
  shop?: Shop;
  /** Milliseconds between two looks at what others do, while it cannot be heard; 2 000 unless it says otherwise. */
  pollMs?: number;
  /** Milliseconds for a call with all its repetitions; 15 000 unless it says otherwise. */
  budgetMs?: number;
}

type Read = {
  id: string;
  code: string;
  status: string;
  items: {
    product_id: string;
    name: string | null;
    quantity_needed: number;
    quantity_picked: number;
    quantity_packed: number;
    version: number;
  }[];
  orders: {
    order_id: string;
    lines: {
      progress_id: string;
      product_id: string;
      quantity_packed: number;
      quantity_needed: number;
      quantity_short: number;
      version: number;
    }[];
  }[];
};

/** How often a number is set anew on the one that others have left. */
const TRIES = 3;

/** A session's packing table, over a supabase-js client in which somebody who works there is signed in. */
export function packing(
  supabase: Supabase & Listening,
  sessionId: string,
  options: PackingOptions = {},
): Packing {
  return new Packing(supabase, sessionId, options);
}

/** Made by `packing`. */
export class Packing {
  readonly sessionId: string;
  /** How many numbers were set, and how many of them met another one than was read. */
  readonly counts = { sets: 0, conflicts: 0 };
  readonly #supabase: Supabase;
  readonly #listening: Listening;
  readonly #options: PackingOptions;
  readonly #lines = new Map<string, PackingLine>();
  readonly #items = new Map<string, PackingItem>();
  readonly #listeners = new Set<(view: PackingView) => void>();
  #head = { code: "", status: "" };
  #held: Message[] = [];
  #stop: (() => void) | undefined;

  constructor(
    supabase: Supabase & Listening,
    sessionId: string,
    options: PackingOptions,
  ) {
    this.#supabase = inShop(supabase, options.shop);
    this.#listening = supabase;
    this.sessionId = sessionId;
    this.#options = options;
  }

  /** What is known, with what is under way. */
  view(): PackingView {
    const lines = [...this.#lines.values()];
    return {
      id: this.sessionId,
      ...this.#head,
      lines: lines.map((line) => ({
        ...line,
        packed: line.packed + line.underWay,
      })),
      items: [...this.#items.values()].map((item) => {
        const underWay = lines.filter((line) =>
          line.productId === item.productId
        ).reduce((sum, line) => sum + line.underWay, 0);
        const packed = item.packed + underWay;
        return { ...item, packed, available: item.picked - packed };
      }),
    };
  }

  /** Reads the whole session. */
  async load(): Promise<PackingView> {
    const answer = await this.#rpc("get_picking_session", {
      p_session_id: this.sessionId,
    });
    const { session } = answer as { session: Read };
    this.#head = { code: session.code, status: session.status };
    for (const item of session.items) {
      if (this.#holds({ event: "packing.item", payload: item })) continue;
      this.#keepItem({
        productId: item.product_id,
        name: item.name,
        needed: item.quantity_needed,
        picked: item.quantity_picked,
        packed: item.quantity_packed,
        available: item.quantity_picked - item.quantity_packed,
        version: item.version,
      });
    }
    for (const { order_id, lines } of session.orders) {
      for (const line of lines) {
        const payload = { ...line, order_id };
        if (this.#holds({ event: "packing.progress", payload })) continue;
        this.#keepLine(payload, line.progress_id);
      }
    }
    this.#tell();
    return this.view();
  }

  /** Calls back whenever something is to be shown anew, until what it answers is called. */
  subscribe(listener: (view: PackingView) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#stop = follow(this.#listening, `packing:${this.sessionId}`, {
        ...this.#options,
        read: async () => void await this.load(),
        hear: (message) => this.#hear(message),
      });
    }
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) {
        this.#stop?.();
      }
    };
  }

  /** Puts it into the order's box. */
  pack(scan: Scan): Promise<PackingLine> {
    return this.#scan("pack", scan, scan.quantity ?? 1);
  }

  /** Takes it out again. */
  unpack(scan: Scan): Promise<PackingLine> {
    return this.#scan("unpack", scan, -(scan.quantity ?? 1));
  }

  /** Says that there will be none. */
  short(scan: Scan): Promise<PackingLine> {
    return this.#scan("short", scan, 0);
  }

  /** Completes an order: what is packed leaves as one parcel, however often it is asked for. */
  async complete(
    { orderId, tracking }: { orderId: string; tracking?: string },
  ): Promise<PackingCompleted> {
    const body = {
      session_id: this.sessionId,
      order_id: orderId,
      action: "complete",
      ...(tracking === undefined ? {} : { tracking }),
    };
    const done = await this.#call(body, freshId()) as PackingCompleted;
    this.#head = { ...this.#head, status: done.session.status };
    this.#tell();
    return done;
  }

  /**
   * Sets the number of packed units of a line, for screens on which it is typed. Where others came first it is tried again
   * on what they have left; then it throws a `ConcurrencyConflictError`.
   */
  async packTo(
    { progressId, quantity }: { progressId: string; quantity: number },
  ): Promise<PackingLine> {
    const packed = this.#lineOf(progressId)?.packed ?? 0;
    const line = await this.#set(progressId, packed, () => quantity);
    this.#tell();
    return line;
  }

  /** Sets a number that is made of the one there is. */
  async #set(
    progressId: string,
    expected: number,
    next: (packed: number) => number,
  ): Promise<PackingLine> {
    for (let tries = 1;; tries += 1) {
      this.counts.sets += 1;
      try {
        const answer = await this.#rpc("set_packed_quantity", {
          p_progress_id: progressId,
          p_expected: expected,
          p_new: next(expected),
        });
        return this.#keepAnswer(answer as Packed);
      } catch (error) {
        if (!(error instanceof ConcurrencyConflictError)) throw error;
        this.counts.conflicts += 1;
        const now = error.details as Packed | null;
        if (!now || tries >= TRIES) throw error;
        expected = this.#keepAnswer(now).packed;
        this.#tell();
        await pause(pauseBefore(tries - 1, null, Math.random()));
      }
    }
  }

  /** Shows it, sends it under a key of its own, and shows what is answered or what there was before. */
  async #scan(
    action: string,
    scan: Scan,
    change: number,
  ): Promise<PackingLine> {
    const { orderId, productId, barcode, quantity } = scan;
    const line = productId && this.#lines.get(`${orderId} ${productId}`);
    const show = (units: number) => {
      if (!line || units === 0) return;
      line.underWay += units;
      this.#tell();
    };
    const body = {
      session_id: this.sessionId,
      order_id: orderId,
      ...(productId === undefined ? {} : { product_id: productId }),
      ...(barcode === undefined ? {} : { barcode }),
      ...(quantity === undefined ? {} : { quantity }),
      action,
    };
    show(change);
    try {
      const answer = await this.#call(body, freshId(), line || undefined);
      return this.#keepAnswer(answer as Packed);
    } finally {
      if (line) {
        line.underWay -= change;
        this.#release(line.productId);
      }
      this.#tell();
    }
  }

  /**
   * The function; where a project has not deployed it yet, its RPC under the same key, so that it counts once whichever of
   * both did it; where the database is not pushed yet, what there was before.
   */
  async #call(
    body: Record<string, unknown>,
    key: string,
    line?: PackingLine,
  ): Promise<unknown> {
    const headers = { "Idempotency-Key": key, "x-request-id": freshId() };
    try {
      return await persist(
        (signal) => callFunction(this.#supabase, "pack", body, headers, signal),
        { budgetMs: this.#budgetMs },
      );
    } catch (error) {
      if (!isMissing(error) && !isInternal(error)) throw error;
    }
    try {
      const fields = Object.entries({ ...body, idempotency_key: key });
      return await this.#rpc(
        "pack_item",
        Object.fromEntries(
          fields.map(([name, value]) => [`p_${name}`, value]),
        ),
      );
    } catch (error) {
      const one = body.action === "pack" && (body.quantity ?? 1) === 1;
      if (!line || !one || !isMissing(error)) throw error;
    }
    const { orderId, productId, progressId } = line;
    try {
      // Without a key: it is not sent again.
      const answer = await within(
        this.#budgetMs,
        (signal) =>
          callRpc(this.#supabase, "update_packing_progress_atomic", {
            p_session_id: this.sessionId,
            p_order_id: orderId,
            p_product_id: productId,
          }, signal),
      );
      return { quantity_short: line.short, ...(answer as object) };
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.#set(progressId, line.packed, (packed) => packed + 1);
    return { ...toldOf(line), progress_id: progressId };
  }

  /** Of what may be sent again. */
  #rpc(name: string, parameters: Record<string, unknown>): Promise<unknown> {
    return persist(
      (signal) => callRpc(this.#supabase, name, parameters, signal),
      { budgetMs: this.#budgetMs },
    );
  }

  get #budgetMs(): number {
    return this.#options.budgetMs ?? 15_000;
  }

  /** What is told of a product while a scan of it is under way may have counted that already: it waits for the answer. */
  #holds(message: Message): boolean {
    const held = this.#isUnderWay(message.payload.product_id);
    if (held) this.#held.push(message);
    return held;
  }

  #release(productId: string) {
    if (this.#isUnderWay(productId)) return;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#hear(message);
  }

  #isUnderWay(productId: string): boolean {
    return [...this.#lines.values()].some((line) =>
      line.productId === productId && line.underWay !== 0
    );
  }

  /** Takes what others have done. */
  #hear(message: Message): boolean {
    const { event, payload } = message;
    if (this.#holds(message)) return false;
    if (event === "packing.progress") {
      this.#keepLine(payload);
      this.#keepBasket(payload.product_id, payload.basket);
      // Of one that is not known yet there is more to be read.
      const key = `${payload.order_id} ${payload.product_id}`;
      if (!this.#lines.has(key)) return true;
    } else if (event === "packing.item") {
      if (!this.#keepBasket(payload.product_id, payload)) return true;
    } else {
      return true;
    }
    this.#tell();
    return false;
  }

  #lineOf(progressId: string): PackingLine | undefined {
    const lines = [...this.#lines.values()];
    return lines.find((line) => line.progressId === progressId);
  }

  #keepAnswer(answer: Told & { progress_id: string } & Partial<Packed>) {
    this.#keepLine(answer, answer.progress_id);
    this.#keepBasket(answer.product_id, answer.basket);
    const line = this.#lines.get(`${answer.order_id} ${answer.product_id}`);
    if (!line) throw new Error(`${answer.progress_id} is in no line`);
    return { ...line };
  }

  /** What there is of a product now; false if it is not known yet. */
  #keepBasket(productId: string, told?: Basket): boolean {
    const item = this.#items.get(productId);
    if (!item || !told) return false;
    const {
      quantity_needed: needed = item.needed,
      quantity_picked: picked,
      quantity_packed: packed,
      version,
    } = told;
    const available = picked - packed;
    this.#keepItem({ ...item, needed, picked, packed, available, version });
    return true;
  }

  /** What is older than what is known is not shown any more. */
  #keepLine(told: Told, progressId?: string) {
    const key = `${told.order_id} ${told.product_id}`;
    const known = this.#lines.get(key);
    if (known && known.version >= told.version) return;
    const id = progressId ?? known?.progressId;
    if (id === undefined) return;
    const line = known ?? {
      progressId: id,
      orderId: told.order_id,
      productId: told.product_id,
      underWay: 0,
    };
    this.#lines.set(
      key,
      Object.assign(line, {
        packed: told.quantity_packed,
        needed: told.quantity_needed,
        short: told.quantity_short,
        version: told.version,
      }),
    );
  }

  #keepItem(item: PackingItem) {
    const known = this.#items.get(item.productId);
    if (!known || known.version < item.version) {
      this.#items.set(item.productId, item);
    }
  }

  #tell() {
    const view = this.view();
    for (const listener of this.#listeners) listener(view);
  }
}

function toldOf(line: PackingLine): Told {
  return {
    order_id: line.orderId,
    product_id: line.productId,
    quantity_packed: line.packed,
    quantity_needed: line.needed,
    quantity_short: line.short,
    version: line.version,
  };
}

/** Whether there is no such function: nothing has happened. */
function isMissing(error: unknown): boolean {
  return error instanceof InterlockError &&
    error.is("UNEXPECTED_ANSWER") && error.status === 404;
}

/** Whether the function knows not what to make of the database's answer: there may be no such RPC. */
function isInternal(error: unknown): boolean {
  return error instanceof InterlockError && error.is("INTERNAL");
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
