// Timers that leave nothing behind.

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

interface Deadline {
  at: number;
  late: () => void;
}

// To set a timer and clear it again costs as much as to check a token, and nearly every deadline is met:
// one timer serves them all, set for the earliest. (`performance.now()` would cost as much again.)
const deadlines = new Set<Deadline>();
let timer: ReturnType<typeof setTimeout> | undefined;
let due = Infinity;

/** Calls `late` after a time, unless the function that it returns is called before. */
export function deadline(milliseconds: number, late: () => void): () => void {
  const mine = { at: Date.now() + milliseconds, late };
  deadlines.add(mine);
  if (mine.at < due) set(mine.at);
  return () => {
    deadlines.delete(mine);
    if (deadlines.size === 0) set(Infinity);
  };
}

function set(at: number) {
  clearTimeout(timer);
  due = at;
  timer = at === Infinity
    ? undefined
    : setTimeout(ring, Math.max(0, at - Date.now()));
}

function ring() {
  const now = Date.now();
  let next = Infinity;
  for (const each of deadlines) {
    if (each.at <= now) {
      deadlines.delete(each);
      each.late();
    } else if (each.at < next) next = each.at;
  }
  set(next);
}

/** What the promise gives, or `late` if that takes longer. It must not fail. */
export function within<T>(
  milliseconds: number,
  promise: Promise<T>,
  late: T,
): Promise<T> {
  return new Promise((resolve) => {
    const met = deadline(milliseconds, () => resolve(late));
    promise.then((value) => {
      met();
      resolve(value);
    });
  });
}
