import { InterlockError } from "./error.ts";
import { freshId } from "./random.ts";

export { freshId };

/** Where keys are kept: `localStorage`, React Native's `AsyncStorage`, or anything like them. */
export interface KeyStore {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): void | Promise<void>;
  removeItem(name: string): void | Promise<void>;
}

/** What is kept of a submission. */
interface Kept {
  key: string;
  /** What was sent; empty once it has succeeded. */
  request: string;
  /** What makes it the same submission. */
  same: string;
  /** When it succeeded, in milliseconds since 1970. */
  done?: number;
}

interface UnderWay {
  same: string;
  outcome: Promise<unknown>;
}

/** When this page was opened, by the clock that says when a submission has succeeded. */
const openedAt = Date.now();

/** The keys whose answer this page has had. */
const answered = new Set<string>();

/**
 * Something that a person submits, such as the cart of a page. Its idempotency key is stored before the
 * first request, and the same request goes under the same key until the submission has succeeded, whatever
 * came between: a click too many, a lost answer, a reload, another tab. A tab that was open before it
 * succeeded elsewhere, and has not heard of it, gets that very answer. A changed request is a new
 * submission and gets a new key.
 */
export class Submission {
  readonly name: string;
  readonly #store: KeyStore;

  constructor(name: string, store: KeyStore = localStore()) {
    this.name = name;
    this.#store = store;
  }

  /**
   * Sends the request under its key. While it is under way, the same request gets the same promise, and
   * another one is refused with `SUBMISSION_BUSY`. Requests are the same whose `identity` is: the request
   * itself, unless that says more than what is asked for.
   */
  run<T>(
    request: unknown,
    send: (key: string) => Promise<T>,
    identity: unknown = request,
  ): Promise<T> {
    const same = canonical(identity);
    const underWay = underWayOf(this.#store);
    const other = underWay.get(this.name);
    if (other?.same === same) return other.outcome as Promise<T>;
    if (other) return Promise.reject(busy(this.name));
    const outcome = this.#send(canonical(request), same, send).finally(() =>
      underWay.delete(this.name)
    );
    underWay.set(this.name, { same, outcome });
    return outcome;
  }

  /** The request that was sent and has not succeeded yet, for a page that was reloaded meanwhile. */
  // deno-lint-ignore no-explicit-any
  async pending(): Promise<any> {
    const kept = await this.#kept();
    return kept && !kept.done ? JSON.parse(kept.request) : null;
  }

  /** Gives the submission up: whatever is sent next is a new one. */
  async forget(): Promise<void> {
    await this.#store.removeItem(this.#place);
  }

  async #send<T>(
    request: string,
    same: string,
    send: (key: string) => Promise<T>,
  ): Promise<T> {
    const key = await this.#keyFor(request, same);
    // A refusal leaves the key as it is: nothing is stored under it on the server, and a copy of the
    // request that is still on its way cannot become a second order.
    const answer = await send(key);
    answered.add(key);
    await this.#finish(key);
    return answer;
  }

  async #keyFor(request: string, same: string): Promise<string> {
    const kept = await this.#kept();
    if (kept?.same === same && !this.#isOver(kept)) {
      // The same in other words, such as prices that the buyer has agreed to since.
      if (!kept.done && kept.request !== request) {
        await this.#keep({ ...kept, request });
      }
      return kept.key;
    }
    const key = freshId();
    await this.#keep({ key, request, same });
    return key;
  }

  /** Whether the same request is a new submission: this page knows of the answer, or was opened after it. */
  #isOver({ key, done }: Kept): boolean {
    return done !== undefined && (answered.has(key) || done < openedAt);
  }

  /** Notes that it has succeeded, unless another tab has put its own there. */
  async #finish(key: string): Promise<void> {
    const kept = await this.#kept();
    if (kept?.key !== key || kept.done) return;
    await this.#keep({ ...kept, request: "", done: Date.now() });
  }

  async #keep(kept: Kept): Promise<void> {
    await this.#store.setItem(this.#place, JSON.stringify(kept));
  }

  async #kept(): Promise<Kept | null> {
    const text = await this.#store.getItem(this.#place);
    try {
      return JSON.parse(text ?? "null");
    } catch {
      return null; // Not ours.
    }
  }

  get #place(): string {
    return `interlock:${this.name}`;
  }
}

/** The submission of that name. All with one name and one store are the same. */
export function submission(name: string, store?: KeyStore): Submission {
  return new Submission(name, store);
}

/** JSON that is the same for the same content, whatever the order of its members. */
export function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_, member) =>
      member && typeof member === "object" && !Array.isArray(member)
        ? Object.fromEntries(
          Object.entries(member).sort(([one], [other]) => one < other ? -1 : 1),
        )
        : member,
  );
}

const underWayByStore = new WeakMap<KeyStore, Map<string, UnderWay>>();

function underWayOf(store: KeyStore): Map<string, UnderWay> {
  const found = underWayByStore.get(store) ?? new Map<string, UnderWay>();
  underWayByStore.set(store, found);
  return found;
}

function busy(name: string) {
  return new InterlockError({
    code: "SUBMISSION_BUSY",
    message: `The submission ${name} is under way with another request.`,
    hint: "Wait for its outcome, or give this one a name of its own.",
    retryable: false,
  });
}

/**
 * A page's `localStorage`, or its memory where the browser forbids that. Elsewhere, as on a server that
 * works for many people, a memory that no two submissions share.
 */
function localStore(): KeyStore {
  if (typeof document === "undefined") return withMemory(() => undefined);
  return pageStore ??= withMemory(() => globalThis.localStorage);
}

let pageStore: KeyStore | undefined;

function withMemory(storage: () => KeyStore | undefined): KeyStore {
  const memory = new Map<string, string>();
  const attempt = <T>(action: (storage: KeyStore) => T): T | undefined => {
    try {
      const found = storage();
      return found && action(found);
    } catch {
      return undefined; // Forbidden, or full.
    }
  };
  return {
    getItem: (name) =>
      memory.get(name) ?? attempt((found) => found.getItem(name)) ?? null,
    setItem(name, value) {
      const stored = attempt((found) => {
        found.setItem(name, value);
        return true;
      });
      if (stored) memory.delete(name);
      else memory.set(name, value);
    },
    removeItem(name) {
      memory.delete(name);
      attempt((found) => found.removeItem(name));
    },
  };
}
