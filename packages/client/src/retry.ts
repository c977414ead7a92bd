// When a call is made again. Every call of this client may be: it goes under an idempotency key, or a
// second one has no second effect by its nature.
import { InterlockError } from "./error.ts";

/** How long a call may take with all its repetitions, and who may end it sooner. */
export interface Limits {
  budgetMs: number;
  signal?: AbortSignal | undefined;
}

/** What a retry needs of its surroundings; tests bring their own. */
export interface Host {
  /** Milliseconds by a monotonic clock. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  /** Keeps no timer once the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Waits while the device says that it has no network; listens no longer once the signal aborts. */
  online(signal: AbortSignal): Promise<void>;
}

/** Makes the call until it succeeds, is refused for good, or its time is over. */
export async function persist<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { budgetMs, signal: outer }: Limits,
  host: Host = surroundings,
): Promise<T> {
  const ending = endingAfter(budgetMs, outer);
  const { signal } = ending;
  const end = host.now() + budgetMs;
  try {
    for (let repeats = 0;; repeats += 1) {
      try {
        await ending.orEarlier(host.online(signal));
        return await ending.orEarlier(call(signal));
      } catch (error) {
        ending.throwIfOver();
        if (!(error instanceof InterlockError && error.retryable)) throw error;
        const pause = pauseBefore(repeats, error.retryAfter, host.random());
        if (host.now() + pause >= end) throw error;
        await ending.orEarlier(host.sleep(pause, signal));
      }
    }
  } finally {
    ending.close();
  }
}

/** Makes the call once, for so long at most. */
export async function within<T>(
  milliseconds: number,
  call: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const ending = endingAfter(milliseconds, outer);
  try {
    return await ending.orEarlier(call(ending.signal));
  } finally {
    ending.close();
  }
}

/**
 * The end of a call: its time is over, or its caller gives it up. It keeps the reason itself, which the signals of React
 * Native do not, and ends what goes on without the signal, since not every client version passes that on to fetch.
 */
function endingAfter(milliseconds: number, outer?: AbortSignal) {
  if (outer?.aborted) throw reasonOf(outer);
  const controller = new AbortController();
  let over: { reason: unknown } | undefined;
  let reject = (_: unknown) => {};
  const ended = new Promise<never>((_, refuse) => reject = refuse);
  ended.catch(() => {}); // Nobody may be waiting.
  const end = (reason: unknown) => {
    over ??= { reason };
    controller.abort(reason);
    reject(reason);
  };
  const abort = () => end(outer && reasonOf(outer));
  outer?.addEventListener("abort", abort);
  const timer = setTimeout(
    () => end(timeIsOver()),
    Math.min(milliseconds, LONGEST_TIMER_MS),
  );
  return {
    signal: controller.signal,
    orEarlier: <T>(promise: Promise<T>) => Promise.race([promise, ended]),
    throwIfOver() {
      if (over) throw over.reason;
    },
    close() {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    },
  };
}

function reasonOf(signal: AbortSignal): unknown {
  if (signal.reason !== undefined) return signal.reason;
  const error = new Error("The call was given up.");
  error.name = "AbortError";
  return error;
}

/** Timers end at once if they are to last longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const FIRST_MS = 250;
const LONGEST_MS = 8_000;

/** Exponential backoff with full jitter, on top of what the server asks for. */
export function pauseBefore(
  repeats: number,
  retryAfter: number | null,
  random: number,
): number {
  const jitter = random * Math.min(LONGEST_MS, FIRST_MS * 2 ** repeats);
  return (retryAfter ?? 0) * 1_000 + jitter;
}

function timeIsOver() {
  return new InterlockError({
    code: "NO_ANSWER",
    message: "The time is over; it is not known whether the call took effect.",
    retryable: true,
  });
}

/** Those of an app. */
export const surroundings: Host = {
  // Bare engines have no `performance`.
  now: () => (globalThis.performance as Performance | undefined ?? Date).now(),
  random: () => Math.random(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      signal.addEventListener("abort", () => clearTimeout(timer));
    }),
  online(signal) {
    if (globalThis.navigator?.onLine !== false) return Promise.resolve();
    return new Promise((resolve) => {
      const back = () => resolve();
      globalThis.addEventListener("online", back, { once: true });
      signal.addEventListener(
        "abort",
        () => globalThis.removeEventListener("online", back),
      );
    });
  },
};
