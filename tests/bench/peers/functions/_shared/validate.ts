// What a checkout may look like. All problems of a request are reported together.
import { Refusal } from "./errors.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const KEY = /^[\x20-\x7e]{1,255}$/;
const PAYMENT_METHODS = ["wallet", "bank_transfer", "cash_on_delivery"];
const FIELDS = ["cart_items", "promo_code", "cart_id", "payment_method"];
const LINE_FIELDS = ["product_id", "quantity"];

/** The arguments of the RPC. */
export interface Arguments {
  p_cart_items: { product_id: string; quantity: number }[];
  p_promo_code?: string;
  p_cart_id?: string;
  p_payment_method?: string;
  p_idempotency_key?: string;
}

interface Problem {
  pointer: string;
  message: string;
}

export function validate(body: unknown, key: string | null): Arguments {
  const problems: Problem[] = [];
  const problem = (pointer: string, message: string) =>
    problems.push({ pointer, message });

  if (!isObject(body)) {
    throw invalid([{ pointer: "", message: "must be a JSON object" }]);
  }
  const { cart_items, promo_code, cart_id, payment_method } = body;
  const lines: Arguments["p_cart_items"] = [];
  if (
    !Array.isArray(cart_items) || cart_items.length < 1 ||
    cart_items.length > 100
  ) {
    problem("/cart_items", "must be a list of 1 to 100 objects");
  } else {
    cart_items.forEach((line: unknown, index) => {
      const at = `/cart_items/${index}`;
      if (!isObject(line)) return problem(at, "must be a JSON object");
      const { product_id, quantity } = line;
      if (!isUuid(product_id)) problem(`${at}/product_id`, "must be a UUID");
      if (!isQuantity(quantity)) {
        problem(`${at}/quantity`, "must be a whole number from 1 to 10000");
      }
      unknownFields(line, LINE_FIELDS, at, problem);
      lines.push({
        product_id: String(product_id).toLowerCase(),
        quantity: Number(quantity),
      });
    });
  }
  if (promo_code !== undefined && !isCode(promo_code)) {
    problem("/promo_code", "must be a line of 1 to 64 characters");
  }
  if (cart_id !== undefined && !isUuid(cart_id)) {
    problem("/cart_id", "must be a UUID");
  }
  if (
    payment_method !== undefined &&
    !PAYMENT_METHODS.includes(payment_method as string)
  ) {
    problem("/payment_method", `must be one of ${PAYMENT_METHODS.join(", ")}`);
  }
  unknownFields(body, FIELDS, "", problem);
  if (key !== null && !KEY.test(key)) {
    problem(
      "/headers/idempotency-key",
      "must have 1 to 255 printable ASCII characters",
    );
  }
  if (problems.length > 0) throw invalid(problems);

  const args: Arguments = { p_cart_items: lines };
  if (promo_code !== undefined) args.p_promo_code = String(promo_code).trim();
  if (cart_id !== undefined) args.p_cart_id = String(cart_id).toLowerCase();
  if (payment_method !== undefined) {
    args.p_payment_method = String(payment_method);
  }
  if (key !== null) args.p_idempotency_key = key;
  return args;
}

export function invalid(problems: Problem[]): Refusal {
  return new Refusal("VALIDATION_FAILED", { problems });
}

export function isUuid(value: unknown): value is string {
  return typeof value === "string" && UUID.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isQuantity(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 &&
    Number(value) <= 10_000;
}

function isCode(value: unknown): boolean {
  if (typeof value !== "string") return false;
  const code = value.trim();
  return code.length >= 1 && code.length <= 64 && !CONTROL.test(code);
}

function unknownFields(
  object: Record<string, unknown>,
  known: string[],
  at: string,
  problem: (pointer: string, message: string) => void,
) {
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) {
      const token = name.replaceAll("~", "~0").replaceAll("/", "~1");
      problem(`${at}/${token}`, "is not a field of this request");
    }
  }
}
