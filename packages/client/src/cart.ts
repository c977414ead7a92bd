// What a cart is, whatever it looks like, and what it was shown to cost.
import { canonical } from "./submission.ts";
import type {
  CartLine,
  CheckoutRequest,
  PromoQuote,
  PromoRequest,
  Row,
} from "./types.ts";

/**
 * A line of a cart, of a product as the page shows it. If its price is another one by the time it is bought,
 * nothing is bought, and the refusal is `PRICE_CHANGED` with what it costs now.
 */
export function line(
  product: Pick<Row<"products">, "id" | "price">,
  quantity: number,
): CartLine {
  return {
    product_id: product.id,
    quantity,
    expected_unit_price: product.price,
  };
}

/**
 * What makes two checkouts the same: how many of which products, in whatever lines they stand and whatever
 * they were expected to cost, and all else that the requests say.
 */
export function sameCheckout(request: CheckoutRequest): unknown {
  const { cart_items, expected_total: _, ...rest } = request;
  return { ...rest, products: productsOf(cart_items) };
}

/** A request for a code, without the prices that the lines tell: a code is asked about what is charged. */
export function unpriced(request: PromoRequest): Record<string, unknown> {
  const { cart_items, ...rest } = request;
  if (!Array.isArray(cart_items)) return { ...request };
  const lines = cart_items.map((line) => {
    if (typeof line !== "object" || line === null) return line;
    const { expected_unit_price: _, ...rest } = line;
    return rest;
  });
  return { ...rest, cart_items: lines };
}

/** How many of which products. What is no cart is the server's to refuse. */
function productsOf(lines: CartLine[]): unknown {
  if (!Array.isArray(lines)) return lines;
  const products: Record<string, number> = {};
  for (const line of lines) {
    const id = String(line?.product_id).toLowerCase();
    products[id] = (products[id] ?? 0) + line?.quantity;
  }
  return products;
}

/** As many carts as a page may have shown without anybody buying them. */
const MAX_QUOTES = 50;

/** What carts with a code were shown to cost. */
export class Quotes {
  readonly #totals = new Map<string, number>();

  keep(request: PromoRequest, quote: PromoQuote): void {
    if (!request.cart_items) return;
    const { cart_items, code, cart_id } = request;
    this.#keep(placeOf(cart_items, code, cart_id), quote.total);
  }

  /** What the cart costs by what has just been told; null if that says nothing, as once it is bought. */
  tell(request: CheckoutRequest, total: number | null): void {
    const { cart_items, promo_code, cart_id } = request;
    if (promo_code === undefined) return;
    const place = placeOf(cart_items, promo_code, cart_id);
    if (total === null) this.#totals.delete(place);
    else this.#keep(place, total);
  }

  #keep(place: string, total: number): void {
    this.#totals.delete(place);
    this.#totals.set(place, total);
    if (this.#totals.size > MAX_QUOTES) {
      for (const oldest of this.#totals.keys()) {
        this.#totals.delete(oldest);
        break;
      }
    }
  }

  totalOf(request: CheckoutRequest): number | undefined {
    const { cart_items, promo_code, cart_id } = request;
    return promo_code === undefined
      ? undefined
      : this.#totals.get(placeOf(cart_items, promo_code, cart_id));
  }
}

function placeOf(lines: CartLine[], code: string, cartId?: string): string {
  return canonical([productsOf(lines), code.trim(), cartId]);
}
