/** What changes while it is looked at: heard on a private channel of Realtime, read again whenever something may have been missed. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { about, callRpc, inShop, type Shop } from "./transport.ts";
import { persist } from "./retry.ts";
import type { Row } from "./types.ts";

// deno-lint-ignore no-explicit-any
type Client = SupabaseClient<any, any, any>;

/** Of a supabase-js client what listening takes; without it there is only reading. */
export type Listening = Partial<
  Pick<Client, "channel" | "removeChannel" | "realtime">
>;

/** What a message says. */
export interface Message {
  event: string;
  // deno-lint-ignore no-explicit-any
  payload: any;
}

/** How often it is read, and where. */
export interface FollowOptions {
  /** The shop that it is in, by its id or its handle; shop 1 unless it says otherwise. By a handle nothing can be heard, and it is read. */
  shop?: Shop;
  /** Milliseconds between two reads while nothing can be heard; 2 000 unless it says otherwise. */
  pollMs?: number;
}

/** What is made of what is read and heard. */
export interface Follower extends FollowOptions {
  /** Reads what there is. */
  read(): Promise<void>;
  /** Takes a message; says whether it has to be read again. */
  hear(message: Message, reading: boolean): boolean;
}

const POLL_MS = 2_000;
/** A broadcast is never certain, so what is heard is read now and then, too. */
const READ_ANYWAY_MS = 30_000;
const REOPEN_MS = 1_000;
const BUDGET_MS = 15_000;

/**
 * Listens to a topic. What there is is read at once, whenever the topic is joined (so also after a connection that was lost), every 30
 * seconds, and every `pollMs` as long as nothing can be heard. Until what it answers is called.
 */
export function follow(
  supabase: Listening,
  topic: string,
  { read, hear, shop, pollMs = POLL_MS }: Follower,
): () => void {
  let [over, live, reading, again] = [false, false, false, false];
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = async () => {
    if (over) return;
    // What is being read may be from before what has made us look.
    again = reading;
    if (reading) return;
    reading = true;
    clearTimeout(timer);
    do {
      again = false;
      await read().catch(() => {});
      if (over) return;
    } while (again);
    reading = false;
    timer = setTimeout(look, live ? Math.max(READ_ANYWAY_MS, pollMs) : pollMs);
  };

  const leave = tuneIn(supabase, topicIn(shop, topic), {
    hear(message) {
      if (hear(message, reading)) void look();
    },
    turn(joined) {
      live = joined;
      void look();
    },
  });
  void look();
  return () => {
    over = true;
    clearTimeout(timer);
    leave();
  };
}

/** What a topic is called in a shop. What only knows a shop's handle cannot tell, and would hear another shop's. */
function topicIn(shop: Shop = 1, topic: string): string | undefined {
  const id = String(shop);
  if (id === "1") return topic;
  return /^\d+$/.test(id) ? `${topic}@${id}` : undefined;
}

interface Listener {
  hear(message: Message): void;
  /** It can be heard from now on, or not any more. */
  turn(live: boolean): void;
}

/** The channels of each client: supabase-js has one for a topic, however many listen. */
const channels = new WeakMap<object, Map<string, Channel>>();

function tuneIn(
  supabase: Listening,
  topic: string | undefined,
  listener: Listener,
) {
  if (!supabase.channel || topic === undefined) return () => {};
  const own = channels.get(supabase) ?? new Map<string, Channel>();
  channels.set(supabase, own);
  const channel = own.get(topic) ??
    new Channel(supabase, topic, () => own.delete(topic));
  own.set(topic, channel);
  return channel.add(listener);
}

class Channel {
  readonly #supabase: Listening;
  readonly #topic: string;
  readonly #forget: () => void;
  readonly #listeners = new Set<Listener>();
  #joined: ReturnType<Client["channel"]> | undefined;
  #live = false;
  /** Opening and closing, one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(supabase: Listening, topic: string, forget: () => void) {
    this.#supabase = supabase;
    this.#topic = topic;
    this.#forget = forget;
  }

  add(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#live) listener.turn(true);
    this.#settle();
    return () => {
      this.#listeners.delete(listener);
      this.#settle();
    };
  }

  /** Joins or leaves, as there are listeners or not. */
  #settle() {
    this.#turn = this.#turn.then(() =>
      this.#listeners.size > 0 ? this.#open() : this.#close()
    ).catch(() => {});
  }

  async #open() {
    const { realtime } = this.#supabase;
    if (this.#joined) return;
    // Else the first attempt would be nobody's.
    if (realtime && !realtime.accessTokenValue) {
      await realtime.setAuth().catch(() => {});
    }
    const channel = this.#supabase.channel?.(this.#topic, {
      // The platform may begin to read what is sent only after it was joined, and says when it does.
      config: { private: true, broadcast: { replication_ready: true } },
    });
    if (!channel) return;
    this.#joined = channel;
    channel
      .on("broadcast", { event: "*" }, ({ event, payload }) => {
        for (const listener of this.#listeners) {
          listener.hear({ event, payload });
        }
      })
      .on("system", {}, ({ status }: { status: string }) => {
        if (status === "ok") this.#tell(this.#live);
      })
      .subscribe((status) => {
        if (this.#joined !== channel) return;
        this.#tell(status === "SUBSCRIBED");
        // It joins again by itself after an error, but not where it was closed, as it is when a token has ended.
        if (status !== "CLOSED") return;
        this.#joined = undefined;
        setTimeout(() => this.#settle(), REOPEN_MS);
      });
  }

  async #close() {
    const channel = this.#joined;
    [this.#joined, this.#live] = [undefined, false];
    if (channel) await this.#supabase.removeChannel?.(channel);
    if (this.#listeners.size === 0) this.#forget();
  }

  #tell(live: boolean) {
    const turned = live || this.#live;
    this.#live = live;
    if (!turned) return;
    for (const listener of this.#listeners) listener.turn(live);
  }
}

/** Of a supabase-js client what reading and listening take. */
export type Live = Pick<Client, "from" | "rpc"> & Listening;

/** Shows an order as its buyer or staff read it, and again whenever it has changed; null if there is none for them. */
export function followOrder(
  supabase: Live,
  orderId: string,
  show: (order: Row<"orders"> | null) => void,
  options: FollowOptions = {},
): () => void {
  const changed = differs();
  return follow(supabase, `order:${orderId}`, {
    ...options,
    async read() {
      const orders = supabase.from("orders").select().eq("id", orderId);
      const { data, error } = await about(options.shop, orders).maybeSingle();
      if (error) throw error;
      if (changed(data)) show(data);
    },
    // A message has no version by which it could be told from an older one.
    hear: () => true,
  });
}

/** A batch that can be claimed. */
export type AvailableBatch = Pick<
  Row<"batches">,
  "id" | "priority" | "reference" | "created_at" | "version"
>;

/** Shows the batches that a driver can claim, the next one first, and again whenever one has come or gone. */
export function followBatches(
  supabase: Live,
  show: (batches: AvailableBatch[]) => void,
  options: FollowOptions = {},
): () => void {
  const known = new Map<string, { version: number; batch?: AvailableBatch }>();
  const changed = differs();
  const tell = () => {
    const batches = [...known.values()].flatMap(({ batch }) => batch ?? []);
    batches.sort((one, other) =>
      other.priority - one.priority ||
      Date.parse(one.created_at) - Date.parse(other.created_at) ||
      (one.id < other.id ? -1 : 1)
    );
    if (changed(batches)) show(batches);
  };
  return follow(supabase, "batches", {
    ...options,
    async read() {
      const before = new Map(known);
      const batches = supabase.from("batches")
        .select("id, priority, reference, created_at, version")
        .eq("status", "available");
      const { data, error } = await about(options.shop, batches);
      if (error) throw error;
      const rows = data as AvailableBatch[];
      const there = new Set(rows.map(({ id }) => id));
      for (const [id, state] of known) {
        // What was heard meanwhile may be newer than the answer.
        if (there.has(id) || before.get(id) !== state) continue;
        known.set(id, { version: state.version });
      }
      for (const batch of rows) {
        const { id, version } = batch;
        if ((known.get(id)?.version ?? 0) <= version) {
          known.set(id, { version, batch });
        }
      }
      tell();
    },
    hear({ payload }) {
      const { batch_id: id, status, version } = payload;
      const { priority, reference, created_at } = payload;
      if ((known.get(id)?.version ?? 0) >= version) return false;
      known.set(id, {
        version,
        ...(status === "available"
          ? { batch: { id, priority, reference, created_at, version } }
          : {}),
      });
      tell();
      return false;
    },
  });
}

/** What a badge at a product shows. */
export interface StockBadge {
  productId: string;
  /** Units that are there, as they were when it was told; it is told at each step, not with each sale. */
  available: number;
  /** `on_order` is sold out too, but can be ordered. */
  state: "in_stock" | "low" | "on_order" | "sold_out";
}

/** Shows what there is of a product, and again whenever its badge changes; nothing of one that is not shown in the shop. */
export function followStock(
  supabase: Live,
  productId: string,
  show: (badge: StockBadge) => void,
  options: FollowOptions = {},
): () => void {
  const changed = differs();
  let heard = 0;
  const tell = (row: StockRow) => {
    const { available_quantity: available, state } = row;
    if (changed(state)) show({ productId, available, state });
  };
  return follow(supabase, `stock:${productId}`, {
    ...options,
    async read() {
      const before = heard;
      const answer = await persist(
        (signal) =>
          callRpc(
            inShop(supabase, options.shop),
            "get_stock",
            { p_product_ids: [productId] },
            signal,
          ),
        { budgetMs: BUDGET_MS },
      );
      // What was heard meanwhile may be newer; it is read again.
      if (heard !== before) return;
      for (const row of answer as StockRow[]) tell(row);
    },
    hear({ payload }, reading) {
      heard += 1;
      tell(payload);
      return reading;
    },
  });
}

interface StockRow {
  available_quantity: number;
  state: StockBadge["state"];
}

/** Whether something is not what it was the time before. */
function differs(): (value: unknown) => boolean {
  let last: string | undefined;
  return (value) => {
    const text = JSON.stringify(value);
    const different = text !== last;
    last = text;
    return different;
  };
}
