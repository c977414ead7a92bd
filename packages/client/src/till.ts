/** A till that goes on selling without a network: each sale once, in its shift, in order. */
import {
  type CatalogueCode,
  type ClientCode,
  InterlockError,
} from "./error.ts";
import { freshId, freshUuid } from "./random.ts";
import { pauseBefore, within } from "./retry.ts";
import { browserStore, memoryStore, type TillStore } from "./till-store.ts";
import {
  callFunction,
  callRpc,
  inShop,
  type Shop,
  type Supabase,
} from "./transport.ts";
import type { Sale, SaleRequest } from "./types.ts";

export { memoryStore, type TillStore };
export type { Sale, SaleRequest };

/** A sale, or a shift that was opened, as the till keeps it until it is answered. */
export interface Entry {
  /** The idempotency key of the sale; the id of the shift. */
  key: string;
  kind: "sale" | "shift";
  register: string;
  /** What is asked for. */
  request: Record<string, unknown>;
  /** When it happened, by the till's clock. */
  time: string;
  /** The shift of a sale, if the till knows it; that of a shift is what it became. */
  shift: string | null;
  /**
   * - `sending`: it is on its way for the first time; nobody has told the customer anything.
   * - `waiting`: it has happened, and is sent until it is answered.
   * - `failed`: it has happened, and was refused for good: somebody has to look at it (`retry`, `discard`).
   * - `open`: a shift that is open, for a page that is reloaded.
   */
  state: "sending" | "waiting" | "failed" | "open";
  /** When nobody waits for the answer to `sending` any more, in milliseconds since 1970. */
  until?: number;
  /** Why it has failed. */
  error?: {
    code: CatalogueCode | ClientCode;
    message: string;
    details: unknown;
    requestId: string | null;
  };
}

/** How a till works. */
export interface TillOptions {
  registerId: string;
  /** The shop that the register is in, by its id or its handle; shop 1 unless it says otherwise. */
  shop?: Shop;
  /** Where sales are kept until they are answered; IndexedDB unless it says otherwise, or memory where there is none. */
  store?: TillStore;
  /** Milliseconds that the customer waits for an answer, 8 000 unless it says otherwise; then the sale is sold. */
  answerMs?: number;
  /** Called whenever something of this till has been kept, sent, refused or answered. */
  onChange?: () => void;
  /** Called with each sale that is answered after it has waited. */
  onSold?: (key: string, sale: Sale) => void;
}

/** What has become of a sale: it is answered, or it waits for the network and is sold all the same. */
export type Outcome =
  | { state: "sold"; key: string; sale: Sale }
  | { state: "waiting"; key: string };

/** A till, over a supabase-js client in which somebody who works there is signed in. */
export function createTill(supabase: Supabase, options: TillOptions): Till {
  return new Till(supabase, options);
}

/** Made by `createTill`. */
export class Till {
  readonly registerId: string;
  readonly #supabase: Supabase;
  readonly #store: TillStore;
  readonly #answerMs: number;
  readonly #options: TillOptions;
  /** What the store cannot tell now it tells at the next turn. */
  readonly #back = () => void this.flush().catch(() => {});
  #flushing: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #closed = false;

  constructor(supabase: Supabase, options: TillOptions) {
    this.registerId = options.registerId;
    this.#supabase = inShop(supabase, options.shop);
    this.#options = options;
    this.#store = options.store ?? browserStore() ?? memoryStore();
    this.#answerMs = options.answerMs ?? 8_000;
    globalThis.addEventListener?.("online", this.#back);
    this.#back();
  }

  /**
   * Sells. Whatever comes after, the sale is kept before it is sent. What is refused while the customer is there throws an
   * `InterlockError`, and nothing is sold. Without an answer it is sold: it waits, with its time and shift, and is sent
   * until it is answered, over reloads and by any tab. While earlier ones wait it waits behind them.
   */
  async sell(request: SaleRequest): Promise<Outcome> {
    const key = freshId();
    const entries = await this.#entries();
    const cutOff = isOffline() ||
      entries.some(({ state }) => state === "waiting");
    const entry: Entry = {
      key,
      kind: "sale",
      register: this.registerId,
      request: { ...request },
      time: new Date().toISOString(),
      shift: openShiftOf(entries)?.shift ?? null,
      state: cutOff ? "waiting" : "sending",
      ...(cutOff ? {} : { until: Date.now() + this.#answerMs + GRACE_MS }),
    };
    await this.#change(key, () => entry);
    if (cutOff) {
      this.#back();
      return { state: "waiting", key };
    }

    try {
      const sale = await this.#send(entry);
      await this.#change(key, () => undefined);
      return { state: "sold", key, sale };
    } catch (error) {
      if (isFinal(error)) {
        // Unless another tab has taken it for sold meanwhile.
        const left = await this.#change(
          key,
          (kept) => kept?.state === "sending" ? undefined : kept,
        );
        if (!left) throw error;
        return { state: "waiting", key };
      }
    }
    await this.#change(key, (kept) => kept && isKnown(kept));
    this.#later(pauseBefore(0, null, Math.random()));
    return { state: "waiting", key };
  }

  /** Opens a shift, also without a network; answers its id. If another one is open at the register by then, it is that one. */
  async openShift(openingCash: number): Promise<string> {
    const key = freshUuid();
    const entry: Entry = {
      key,
      kind: "shift",
      register: this.registerId,
      request: { opening_cash: openingCash },
      time: new Date().toISOString(),
      shift: key,
      state: "waiting",
    };
    for (const { key: old, kind, state } of await this.#entries()) {
      if (kind === "shift" && state === "open") {
        await this.#change(old, () => undefined);
      }
    }
    await this.#change(key, () => entry);
    await this.flush();
    const opened = (await this.#entries()).find((kept) => kept.key === key);
    if (opened?.error) {
      await this.discard(key);
      throw new InterlockError({ ...opened.error, retryable: false });
    }
    // What found no shift may have one now.
    for (const failed of await this.#entries()) {
      if (failed.error?.code === "SHIFT_NOT_OPEN") await this.retry(failed.key);
    }
    return (await this.shift()) ?? key;
  }

  /** The shift that this till has open, as far as it knows. */
  async shift(): Promise<string | null> {
    return openShiftOf(await this.#entries())?.shift ?? null;
  }

  /** Goes on with a shift that was opened elsewhere, or with none. */
  async useShift(shiftId: string | null): Promise<void> {
    for (const { key, kind, state } of await this.#entries()) {
      if (kind === "shift" && state === "open") {
        await this.#change(key, () => undefined);
      }
    }
    if (shiftId === null) return;
    await this.#change(shiftId, () => ({
      key: shiftId,
      kind: "shift",
      register: this.registerId,
      request: {},
      time: new Date().toISOString(),
      shift: shiftId,
      state: "open",
    }));
  }

  /** What waits, and what was refused for good, in the order in which it happened. */
  async pending(): Promise<Entry[]> {
    return (await this.#entries()).filter(({ state }) => state !== "open");
  }

  /** Sends what waits, in order, one by one, until it is answered or there is no network. One tab does so at a time. */
  flush(): Promise<void> {
    if (this.#flushing) {
      this.#again = true;
      return this.#flushing;
    }
    const work = async () => {
      try {
        do {
          this.#again = false;
          await oneTab(
            `interlock-till:${this.registerId}`,
            () => this.#flush(),
          );
        } while (this.#again);
      } finally {
        // In the same turn as the look at `again`: who comes between would be forgotten.
        this.#flushing = undefined;
      }
    };
    return this.#flushing = work();
  }

  /** Sends again what was refused. */
  async retry(key: string): Promise<void> {
    await this.#change(
      key,
      (kept) => kept?.state === "failed" ? asWaiting(kept) : kept,
    );
    await this.flush();
  }

  /** Gives up what was refused. */
  async discard(key: string): Promise<void> {
    await this.#change(
      key,
      (kept) => kept?.state === "failed" ? undefined : kept,
    );
  }

  /** Stops sending by itself. What waits is sent by the next one. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#back);
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    for (;;) {
      if (this.#closed || isOffline()) return;
      const entries = await this.#entries();
      const next = entries.find(isDue);
      if (!next) {
        const ends = entries.flatMap(({ until }) => until ?? []);
        if (ends.length > 0) this.#later(Math.min(...ends) - Date.now());
        return;
      }
      // Whoever sent it first hears of it in the store.
      const entry = await this.#change(
        next.key,
        (kept) => kept && isDue(kept) ? isKnown(kept) : kept,
      );
      if (entry?.state !== "waiting") continue;
      try {
        const sale = await this.#send(entry);
        await this.#answered(entry, sale);
        this.#failures = 0;
      } catch (error) {
        if (await this.#refused(entry, error)) continue;
        const asked = error instanceof InterlockError ? error.retryAfter : null;
        this.#later(pauseBefore(this.#failures++, asked, Math.random()));
        return;
      }
    }
  }

  async #answered(entry: Entry, sale: Sale): Promise<void> {
    if (entry.kind === "shift") {
      await this.#change(entry.key, (kept) => kept && asOpen(kept, entry.key));
      return;
    }
    await this.#change(entry.key, () => undefined);
    this.#options.onSold?.(entry.key, sale);
  }

  /** Whether the next one can be sent. */
  async #refused(entry: Entry, error: unknown): Promise<boolean> {
    if (!(error instanceof InterlockError)) return false;
    if (entry.kind === "shift" && error.is("SHIFT_ALREADY_OPEN")) {
      await this.#book(entry.key, String(error.details?.shift_id));
      return true;
    }
    if (entry.shift !== null && error.is("SHIFT_NOT_FOUND")) {
      // The server then goes by the time.
      await this.#change(entry.key, (kept) => kept && { ...kept, shift: null });
      return true;
    }
    if (!isFinal(error) || OF_THE_CALLER.has(error.code)) return false;
    const { code, message, details, requestId } = error;
    await this.#change(entry.key, (kept) =>
      kept && {
        ...kept,
        state: "failed",
        error: { code, message, details, requestId },
      });
    return true;
  }

  /** What was sold in a shift of this till belongs to another one, which was open before. */
  async #book(from: string, to: string): Promise<void> {
    for (const { key, shift } of await this.#entries()) {
      if (shift !== from) continue;
      await this.#change(
        key,
        (kept) =>
          kept?.kind === "shift"
            ? asOpen(kept, to)
            : kept && { ...kept, shift: to },
      );
    }
  }

  /** Sends it: a sale that is on its way for the first time at today's price, any other as what has happened. */
  async #send(
    { kind, key, request, time, shift, state }: Entry,
  ): Promise<Sale> {
    const answer = await within(this.#answerMs, (signal) => {
      if (kind === "shift") {
        const { opening_cash: p_opening_cash } = request;
        return callRpc(this.#supabase, "open_shift", {
          p_register_id: this.registerId,
          p_opening_cash,
          p_shift_id: key,
          p_client_time: time,
        }, signal);
      }
      const body = {
        ...(state === "sending" ? atTodaysPrice(request) : request),
        register_id: this.registerId,
        ...(shift === null ? {} : { shift_id: shift }),
        ...(state === "sending" ? {} : { client_time: time }),
      };
      const headers = { "Idempotency-Key": key, "x-request-id": freshId() };
      return callFunction(this.#supabase, "pos-sale", body, headers, signal);
    });
    return (answer as { sale: Sale }).sale;
  }

  async #entries(): Promise<Entry[]> {
    const all = await this.#store.all();
    return all.filter(({ register }) => register === this.registerId);
  }

  async #change(
    key: string,
    change: (entry: Entry | undefined) => Entry | undefined,
  ): Promise<Entry | undefined> {
    const entry = await this.#store.change(key, change);
    this.#options.onChange?.();
    return entry;
  }

  #later(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(this.#back, Math.max(0, milliseconds));
    // A test, or a script, ends all the same.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}

/** How much longer than its caller another tab waits for an answer. */
const GRACE_MS = 2_000;

/** Refused to whoever is signed in, and not for what it is. */
const OF_THE_CALLER = new Set<string>(["UNAUTHENTICATED", "FORBIDDEN"]);

/** Whether the server has said no, and will again. What something on the way answers is no word of it. */
function isFinal(error: unknown): boolean {
  return error instanceof InterlockError && !error.retryable &&
    error.code !== "UNEXPECTED_ANSWER";
}

function isDue({ state, until = 0 }: Entry): boolean {
  return state === "waiting" || (state === "sending" && until <= Date.now());
}

/** It has happened, whatever the server knows. */
function isKnown(entry: Entry): Entry {
  return entry.state === "sending" ? asWaiting(entry) : entry;
}

function asWaiting({ until: _, error: __, ...kept }: Entry): Entry {
  return { ...kept, state: "waiting" };
}

function asOpen(kept: Entry, shift: string): Entry {
  return { ...kept, state: "open", shift };
}

function openShiftOf(entries: Entry[]): Entry | undefined {
  return entries.filter(({ kind, state }) =>
    kind === "shift" && state !== "failed"
  ).pop();
}

function atTodaysPrice(request: Record<string, unknown>) {
  const { lines, ...rest } = request as SaleRequest;
  if (!Array.isArray(lines)) return request;
  return { ...rest, lines: lines.map(({ unit_price: _, ...line }) => line) };
}

function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}

/** Lets one tab at a time do it, where the browser can see to that. Two do no harm. */
async function oneTab(name: string, work: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks;
  await (locks ? locks.request(name, work) : work());
}
