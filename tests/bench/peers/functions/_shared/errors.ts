// The errors that a client of this function can see: status and what happened. What to do next
// comes from the database where it raised the error, else from here.

export interface Entry {
  status: number;
  message: string;
  hint: string;
  retryable?: true;
}

export const ERRORS: Record<string, Entry> = {
  VALIDATION_FAILED: {
    status: 400,
    message: "The request is not valid.",
    hint: "Correct every problem listed in details.problems.",
  },
  UNAUTHENTICATED: {
    status: 401,
    message: "No signed-in user.",
    hint: "Sign in and send the user's access token.",
  },
  INSUFFICIENT_FUNDS: {
    status: 402,
    message: "The wallet does not hold enough money.",
    hint: "Top up the wallet, or choose another payment_method.",
  },
  FORBIDDEN: {
    status: 403,
    message: "This user may not do that.",
    hint: "Sign in as a user who has the right to do it.",
  },
  PRODUCT_NOT_FOUND: {
    status: 404,
    message: "A product does not exist or is not for sale.",
    hint: "Remove the products in details.product_ids from the cart.",
  },
  PROMO_NOT_FOUND: {
    status: 404,
    message: "There is no such promo code.",
    hint: "Check the spelling of the code.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    message: "This function is called with POST.",
    hint: "Send the same request as POST.",
  },
  INSUFFICIENT_INVENTORY: {
    status: 409,
    message: "There is not enough in stock.",
    hint: "Lower each quantity in details.shortages to what is available.",
  },
  PROMO_EXHAUSTED: {
    status: 409,
    message: "This promo code is used up.",
    hint: "Use another code.",
  },
  PROMO_ALREADY_APPLIED: {
    status: 409,
    message: "This customer has applied this promo code already.",
    hint: "Use the code in the cart that holds it.",
  },
  PROMO_CHANGED: {
    status: 409,
    message: "The promo code no longer takes off what was shown.",
    hint: "Validate the code again.",
  },
  PROMO_EXPIRED: {
    status: 410,
    message: "This promo code is over.",
    hint: "Use another code.",
  },
  BODY_TOO_LARGE: {
    status: 413,
    message: "The request body is too large.",
    hint: "Send at most 64 KiB.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    message: "The request body must be JSON.",
    hint: "Send the header Content-Type: application/json.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    message: "This idempotency key was used for another request.",
    hint: "Use a new Idempotency-Key for a new request.",
  },
  MIXED_CURRENCIES: {
    status: 422,
    message: "The products of this cart have different currencies.",
    hint: "Check out the products of each currency separately.",
  },
  CURRENCY_MISMATCH: {
    status: 422,
    message: "The wallet holds another currency.",
    hint: "Choose another payment_method.",
  },
  PROMO_NOT_APPLICABLE: {
    status: 422,
    message: "This promo code does not apply to this cart.",
    hint: "Look at details.reason.",
  },
  PROMO_NOT_STARTED: {
    status: 422,
    message: "This promo code does not apply yet.",
    hint: "Try the code again once details.starts_at has come.",
  },
  TOO_MANY_ATTEMPTS: {
    status: 429,
    message: "Too many unknown promo codes were tried.",
    hint: "Wait Retry-After seconds before the next attempt.",
    retryable: true,
  },
  INTERNAL: {
    status: 500,
    message: "Something went wrong on our side.",
    hint: "Tell the shop's operator the request_id.",
  },
  UPSTREAM_UNAVAILABLE: {
    status: 503,
    message: "What this function needs is not available right now.",
    hint: "Send the same request again after Retry-After seconds.",
    retryable: true,
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    message: "No answer came, so the outcome is not known.",
    hint: "Send it again under the same Idempotency-Key.",
    retryable: true,
  },
};

/** Ends a request with an error of the table. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    readonly details: unknown = null,
    readonly hint?: string,
  ) {
    super(code);
  }
}
