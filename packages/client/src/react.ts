/** Hooks for React: what is under way, what came of it, and one request for two clicks. */
import {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Interlock } from "./client.ts";
import { InterlockError } from "./error.ts";
import {
  type Packing,
  packing,
  type PackingOptions,
  type PackingView,
} from "./packing.ts";
import { Submission } from "./submission.ts";
import type { Supabase } from "./transport.ts";
import type { Batch, BatchAction, CheckoutRequest, Order } from "./types.ts";

/** What a page shows of something that a person does. */
export interface Attempt<Result> {
  /** Whether it is under way. A second click meanwhile gets the promise of the first one. */
  pending: boolean;
  /** What came of it at last. */
  result: Result | null;
  /** Why it was refused; null while it is under way. */
  error: unknown;
  /**
   * Whether it was sent and nobody knows what came of it, such as without a network, or before a reload. It is sent again
   * under the same key when the browser is online again, and by `resume`, which React Native's NetInfo may call.
   */
  unsent: boolean;
  resume(): void;
  /** Gives it up. */
  forget(): Promise<void>;
}

/** Runs what is submitted, and keeps what a page shows of it. What is refused is in `error`, and throws nothing. */
function useSubmission<Request, Result>(
  kept: Submission,
  send: (request: Request) => Promise<Result>,
  read: (pending: unknown) => Request,
) {
  const [state, setState] = useState<
    Pick<Attempt<Result>, "pending" | "result" | "error">
  >({ pending: false, result: null, error: null });
  const [unsent, setUnsent] = useState<Request>();
  const latest = useLatest({ send, read });

  const submit = useCallback(async (request: Request) => {
    setState((state) => ({ ...state, pending: true, error: null }));
    setUnsent(undefined);
    try {
      const result = await latest.current.send(request);
      setState({ pending: false, result, error: null });
      return result;
    } catch (error) {
      // Another one is under way, and says what comes of it.
      if (isInterlock(error) && error.is("SUBMISSION_BUSY")) return null;
      setState((state) => ({ ...state, pending: false, error }));
      if (isInterlock(error) && error.retryable) setUnsent(() => request);
      return null;
    }
  }, [latest]);

  useEffect(() => {
    let here = true;
    kept.pending().then((pending) => {
      if (here && pending) setUnsent(() => latest.current.read(pending));
    }, () => {});
    return () => {
      here = false;
    };
  }, [kept, latest]);

  const resume = useCallback(() => {
    if (unsent !== undefined) void submit(unsent);
  }, [submit, unsent]);
  useEffect(() => {
    globalThis.addEventListener?.("online", resume);
    return () => globalThis.removeEventListener?.("online", resume);
  }, [resume]);

  const forget = useCallback(async () => {
    await kept.forget();
    setUnsent(undefined);
  }, [kept]);
  return { ...state, unsent: unsent !== undefined, submit, resume, forget };
}

/** How a checkout is kept. */
export interface CheckoutOptions {
  /** Keeps its key; `submission("cart")` unless it says otherwise. In React Native give it a store. */
  submission?: Submission;
}

/** A button that buys: once, however often it is pressed, and over a reload. */
export function useCheckout(
  shop: Interlock,
  options: CheckoutOptions = {},
): Attempt<Order> & {
  checkout(request: CheckoutRequest): Promise<Order | null>;
  order: Order | null;
} {
  const [own] = useState(() => new Submission("cart"));
  const submission = options.submission ?? own;
  const { submit, ...attempt } = useSubmission(
    submission,
    (request: CheckoutRequest) => shop.checkout(request, { submission }),
    (pending) => (pending as { checkout: CheckoutRequest }).checkout,
  );
  return { ...attempt, checkout: submit, order: attempt.result };
}

/** How a driver's batch is kept. */
export interface ClaimOptions {
  /** Keeps the key of what the driver did last; `submission("batch")` unless it says otherwise. */
  submission?: Submission;
}

type Act = { action: BatchAction; batch_id?: string };

/** A driver's batch: claim one, then what is done with it. `doing` is what is under way, to be shown at once. */
export function useClaim(
  shop: Interlock,
  options: ClaimOptions = {},
): Attempt<Batch> & {
  claim(batchId?: string): Promise<Batch | null>;
  renew(batchId: string): Promise<Batch | null>;
  release(batchId: string): Promise<Batch | null>;
  start(batchId: string): Promise<Batch | null>;
  complete(batchId: string): Promise<Batch | null>;
  batch: Batch | null;
  doing: BatchAction | null;
} {
  const [own] = useState(() => new Submission("batch"));
  const submission = options.submission ?? own;
  const [doing, setDoing] = useState<BatchAction | null>(null);
  const { submit, ...attempt } = useSubmission(
    submission,
    async ({ action, batch_id = "" }: Act) => {
      setDoing(action);
      try {
        return await (action === "claim"
          ? shop.claimRoute(batch_id || null, { submission })
          : shop[action](batch_id, { submission }));
      } finally {
        setDoing(null);
      }
    },
    (pending) => (pending as { "claim-route": Act })["claim-route"],
  );
  const acts = useMemo(() => {
    const act = (action: BatchAction) => (batch_id: string) =>
      submit({ action, batch_id });
    return {
      claim: (batchId?: string) =>
        submit({
          action: "claim",
          ...(batchId === undefined ? {} : { batch_id: batchId }),
        }),
      renew: act("renew"),
      release: act("release"),
      start: act("start"),
      complete: act("complete"),
    };
  }, [submit]);
  return { ...attempt, ...acts, batch: attempt.result, doing };
}

/** What there is of a product. */
export type Stock = Awaited<ReturnType<Interlock["getStock"]>>[number];

/**
 * The stock of products, by id, as everybody may see it. `expect(changes, work)` shows what is about to come of something,
 * such as `{ [id]: -2 }` of a checkout, until that has ended; then it is read again.
 */
export function useStock(
  shop: Interlock,
  productIds: string[],
  { pollMs }: { pollMs?: number } = {},
): {
  stock: Record<string, Stock>;
  pending: boolean;
  error: unknown;
  reload(): Promise<void>;
  expect<T>(changes: Record<string, number>, work: Promise<T>): Promise<T>;
} {
  const wanted = productIds.join();
  const [read, setRead] = useState<Stock[]>([]);
  const [expected, setExpected] = useState<Record<string, number>[]>([]);
  const [pending, setPending] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const latest = useRef(0);

  const reload = useCallback(async () => {
    const mine = latest.current += 1;
    setPending(true);
    try {
      const found = wanted ? await shop.getStock(wanted.split(",")) : [];
      if (mine !== latest.current) return; // A later one tells.
      setRead(found);
      setError(null);
    } catch (error) {
      if (mine === latest.current) setError(error);
    }
    if (mine === latest.current) setPending(false);
  }, [shop, wanted]);
  useEffect(() => {
    void reload();
    const timer = pollMs === undefined
      ? undefined
      : setInterval(() => void reload(), pollMs);
    return () => {
      latest.current += 1;
      clearInterval(timer);
    };
  }, [reload, pollMs]);

  const expect = useCallback(
    async <T>(changes: Record<string, number>, work: Promise<T>) => {
      setExpected((all) => [...all, changes]);
      try {
        return await work;
      } finally {
        await reload();
        setExpected((all) => all.filter((each) => each !== changes));
      }
    },
    [reload],
  );

  const stock = useMemo(() =>
    Object.fromEntries(read.map((row) => {
      const change = expected.reduce(
        (sum, changes) => sum + (changes[row.product_id] ?? 0),
        0,
      );
      const shown = {
        ...row,
        available_quantity: row.available_quantity + change,
        orderable_quantity: row.orderable_quantity + change,
      };
      return [row.product_id, change ? shown : row];
    })), [read, expected]);
  return { stock, pending, error, reload, expect };
}

/** A packing table that many hands share: each scan is shown at once, and taken back if it is refused. */
export function usePacking(
  supabase: Supabase,
  sessionId: string,
  options: PackingOptions = {},
): {
  view: PackingView;
  /** Whether a scan is shown and not answered yet. */
  pending: boolean;
  table: Packing;
} {
  const given = useLatest(options);
  const table = useMemo(
    () => packing(supabase, sessionId, given.current),
    [supabase, sessionId, given],
  );
  const shown = useRef<{ table: Packing; view: PackingView }>(undefined);
  const subscribe = useCallback(
    (tell: () => void) =>
      table.subscribe((view) => {
        shown.current = { table, view };
        tell();
      }),
    [table],
  );
  const look = () => {
    if (shown.current?.table !== table) {
      shown.current = { table, view: table.view() };
    }
    return shown.current.view;
  };
  const view = useSyncExternalStore(subscribe, look, look);
  const pending = view.lines.some(({ underWay }) => underWay !== 0);
  return { view, pending, table };
}

/** What was given last, for callbacks that stay the same. */
function useLatest<T>(value: T) {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}

function isInterlock(error: unknown): error is InterlockError {
  return error instanceof InterlockError;
}
