import { InterlockError } from "./error.ts";

/** Where keys are kept: `localStorage`, React Native's `AsyncStorage`, or anything like them. */
export interface KeyStore {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): void | Promise<void>;
  removeItem(name: string): void | Promise<void>;
}

/** What is kept of a submission until it has succeeded. */
interface Kept {
  key: string;
  request: string;
}

interface UnderWay {
  request: string;
  outcome: Promise<unknown>;
}

/**
 * Something that a person submits, such as the cart of a page. Its idempotency key is stored before the
 * first request and dropped when the submission has succeeded. Until then the same request goes under
 * the same key, whatever came between: a click too many, a lost answer, a reload, another tab. A
 * changed request is a new submission and gets a new key.
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
   * another one is refused with `SUBMISSION_BUSY`.
   */
  run<T>(request: unknown, send: (key: string) => Promise<T>): Promise<T> {
    const text = canonical(request);
    const underWay = underWayOf(this.#store);
    const other = underWay.get(this.name);
    if (other?.request === text) return other.outcome as Promise<T>;
    if (other) return Promise.reject(busy(this.name));
    const outcome = this.#send(text, send).finally(() =>
      underWay.delete(this.name)
    );
    underWay.set(this.name, { request: text, outcome });
    return outcome;
  }

  /** The request that was sent and has not succeeded yet, for a page that was reloaded meanwhile. */
  // deno-lint-ignore no-explicit-any
  async pending(): Promise<any> {
    const kept = await this.#kept();
    return kept ? JSON.parse(kept.request) : null;
  }

  /** Gives the submission up: whatever is sent next is a new one. */
  async forget(): Promise<void> {
    await this.#store.removeItem(this.#place);
  }

  async #send<T>(
    request: string,
    send: (key: string) => Promise<T>,
  ): Promise<T> {
    const key = await this.#keyFor(request);
    try {
      const answer = await send(key);
      await this.#drop(key);
      return answer;
    } catch (error) {
      // Only this refusal is about the key itself. After any other one the server has stored nothing
      // under it, and a copy of the request that is still on its way cannot become a second order.
      if (
        error instanceof InterlockError && error.is("IDEMPOTENCY_KEY_REUSED")
      ) {
        await this.#drop(key);
      }
      throw error;
    }
  }

  async #keyFor(request: string): Promise<string> {
    const kept = await this.#kept();
    if (kept?.request === request) return kept.key;
    const key = freshId();
    await this.#store.setItem(this.#place, JSON.stringify({ key, request }));
    return key;
  }

  /** Drops the key unless another tab has put its own there. */
  async #drop(key: string): Promise<void> {
    if ((await this.#kept())?.key === key) await this.forget();
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

/** An id that nobody else has: 128 random bits. `randomUUID` is missing on pages without TLS. */
export function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** JSON that is the same for the same content, whatever the order of its members. */
function canonical(value: unknown): string {
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
