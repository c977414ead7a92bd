import type { ErrorBody } from "./types.ts";

/** The codes that the functions answer with: docs/errors.md says what each means. */
export type CatalogueCode = ErrorBody["code"];

/**
 * The codes of this client itself.
 * - `NO_ANSWER`: the network is gone or the time is over; it is not known whether the call took effect.
 * - `UNEXPECTED_ANSWER`: something on the way answered in the function's stead.
 * - `SUBMISSION_BUSY`: this submission is under way with another request.
 */
export type ClientCode = "NO_ANSWER" | "UNEXPECTED_ANSWER" | "SUBMISSION_BUSY";

/** What `details` holds under a code. */
export type Details<C extends CatalogueCode | ClientCode> = C extends
  CatalogueCode ? Extract<ErrorBody, { code: C }>["details"] : null;

/** What an error is made of. */
export interface Failure {
  code: CatalogueCode | ClientCode;
  message: string;
  status?: number;
  details?: unknown;
  hint?: string | null;
  retryable: boolean;
  requestId?: string | null;
  retryAfter?: number | null;
}

/** Everything that is refused or fails, but for a call that its caller aborted. Branch on `code`. */
export class InterlockError extends Error {
  override readonly name: string = "InterlockError";
  readonly code: CatalogueCode | ClientCode;
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** More about it; ask `is` first, which knows its type. */
  readonly details: unknown;
  /** What to do next, for a developer. */
  readonly hint: string | null;
  /** Whether sending the same again may help; the client has done so while its time allowed. */
  readonly retryable: boolean;
  /** Under this id the function's log tells more. */
  readonly requestId: string | null;
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | null;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(`${failure.code}: ${failure.message}`, options);
    this.code = failure.code;
    this.status = failure.status ?? 0;
    this.details = failure.details ?? null;
    this.hint = failure.hint ?? null;
    this.retryable = failure.retryable;
    this.requestId = failure.requestId ?? null;
    this.retryAfter = failure.retryAfter ?? null;
  }

  /** By its name, too: an app may have this module twice, once as ESM and once as CommonJS. */
  static [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    const { name } = (value ?? {}) as { name?: unknown };
    return name === "ConcurrencyConflictError" ||
      (name === "InterlockError" && this === InterlockError);
  }

  /** Whether it is this error; `details` then has this error's type. */
  is<K extends CatalogueCode | ClientCode>(
    code: K,
  ): this is InterlockError & { code: K; details: Details<K> } {
    return this.code === code;
  }
}

/** What a row of the stock is, or was expected to be; null of what was not said. */
export interface StockState<Known> {
  version: number | Known;
  quantity: number | Known;
}

/** A line of a request that expected another state than there was. */
export interface Conflict {
  /** Which line of the request, from 0 on. */
  line: number;
  inventory_id: string | null;
  product_id: string;
  location_id: string;
  expected: StockState<null>;
  /** What there was when it was refused: decide again on this. */
  present: StockState<never>;
}

/**
 * `VERSION_CONFLICT`: the stock is no longer what the request expected; nothing was changed. A `set` that was to be
 * rebased has been tried again, and others came first each time. `PACKING_CONFLICT`: the same of a number of packed units, whose
 * `details` are the line as it is.
 */
export class ConcurrencyConflictError extends InterlockError {
  override readonly name = "ConcurrencyConflictError";
  /** Every line that is in conflict, with both states. */
  readonly conflicts: Conflict[];

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(failure, options);
    const details = failure.details as Details<"VERSION_CONFLICT">;
    this.conflicts = (details?.conflicts ?? []).map((
      { expected_version, expected_quantity, version, quantity, ...row },
    ) => ({
      ...row,
      expected: { version: expected_version, quantity: expected_quantity },
      present: { version, quantity },
    }));
  }
}

/** The error that a failure is. */
export function errorOf(
  failure: Failure,
  options?: { cause?: unknown },
): InterlockError {
  return failure.code === "VERSION_CONFLICT" ||
      failure.code === "PACKING_CONFLICT"
    ? new ConcurrencyConflictError(failure, options)
    : new InterlockError(failure, options);
}
