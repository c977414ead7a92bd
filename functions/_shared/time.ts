// Timers that leave nothing behind.

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A signal that aborts after a time, unless it is cleared before. */
export function deadline(
  milliseconds: number,
): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), milliseconds);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** What the promise gives, or `late` if that takes longer. */
export async function within<T>(
  milliseconds: number,
  promise: Promise<T>,
  late: T,
): Promise<T> {
  let timer;
  const over = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late), milliseconds);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
