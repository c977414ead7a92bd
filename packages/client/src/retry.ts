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
  /** Ends early, with the signal's reason, when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Waits while the device says that it has no network. */
  online(signal: AbortSignal): Promise<void>;
}

/** Makes the call until it succeeds, is refused for good, or its time is over. */
export async function persist<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { budgetMs, signal: outer }: Limits,
  host: Host = surroundings,
): Promise<T> {
  outer?.throwIfAborted();
  const ending = new AbortController();
  const { signal } = ending;
  const abort = () => ending.abort(outer?.reason);
  outer?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(
    () => ending.abort(timeIsOver()),
    Math.min(budgetMs, LONGEST_TIMER_MS),
  );
  const end = host.now() + budgetMs;
  try {
    for (let repeats = 0;; repeats += 1) {
      try {
        await host.online(signal);
        return await unlessAborted(call(signal), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof InterlockError && error.retryable)) throw error;
        const pause = pauseBefore(repeats, error.retryAfter, host.random());
        if (host.now() + pause >= end) throw error;
        await host.sleep(pause, signal);
      }
    }
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", abort);
  }
}

/** Makes the call once, for so long at most. */
export async function within<T>(
  milliseconds: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(timeIsOver()), milliseconds);
  try {
    return await unlessAborted(call(ending.signal), ending.signal);
  } finally {
    clearTimeout(timer);
  }
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

/** A promise that also ends with the signal: not every client version passes it on to fetch. */
function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() =>
      signal.removeEventListener("abort", abort)
    );
  });
}

const surroundings: Host = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep(milliseconds, signal) {
    let timer: ReturnType<typeof setTimeout>;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    return unlessAborted(slept, signal).finally(() => clearTimeout(timer));
  },
  online(signal) {
    if (globalThis.navigator?.onLine !== false) return Promise.resolve();
    let back = () => {};
    const online = new Promise<void>((resolve) => {
      back = resolve;
      globalThis.addEventListener("online", back);
    });
    return unlessAborted(online, signal).finally(() =>
      globalThis.removeEventListener("online", back)
    );
  },
};
