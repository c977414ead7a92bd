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

/** A cart, the code that it is bought with, and how it is sent: there is more to pay then than promo-validate tells. */
interface Cart {
  cart_items: CartLine[];
  promo_code?: string | undefined;
  cart_id?: string | undefined;
  shipping_method?: string | undefined;
}

/** What makes two carts the same, as the server takes them: how many of which products, in whatever lines they stand. */
function identityOf(
  { cart_items, promo_code, cart_id, shipping_method }: Cart,
) {
  return {
    products: productsOf(cart_items),
    // What is no text is the server's to refuse.
    promo_code: typeof promo_code === "string" ? promo_code.trim() : promo_code,
    cart_id: cart_id && String(cart_id).toLowerCase(),
    shipping_method,
  };
}

/**
 * What makes two checkouts the same, as the server takes them: the cart and how it is paid, whatever it was expected to
 * cost and whatever was reserved for it.
 */
export function sameCheckout(request: CheckoutRequest): unknown {
  const {
    cart_items: _,
    expected_total: __,
    reservation_id: ___,
    ...rest
  } = request;
  return { ...rest, ...identityOf(request) };
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

  keep({ cart_items, code, cart_id }: PromoRequest, quote: PromoQuote): void {
    if (!cart_items) return;
    this.#keep(placeOf({ cart_items, promo_code: code, cart_id }), quote.total);
  }

  /** What the cart costs by what has just been told; null if that says nothing, as once it is bought. */
  tell(cart: Cart, total: number | null): void {
    if (cart.promo_code === undefined) return;
    const place = placeOf(cart);
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

  totalOf(cart: Cart): number | undefined {
    return cart.promo_code === undefined
      ? undefined
      : this.#totals.get(placeOf(cart));
  }
}

function placeOf(cart: Cart): string {
  return canonical(identityOf(cart));
}
