// A shop: what there is, and a button that buys it once.
import { Interlock, InterlockError, line, submission } from "@interlock/client";
import { followStock } from "@interlock/client/live";
import { money, say, supabase } from "../connect.js";

const BADGES = {
  in_stock: "in stock",
  low: "only a few left",
  on_order: "on order",
  sold_out: "sold out",
};

const shop = new Interlock(supabase);
// Its key is kept in the browser from before the first request: a second click, a reload, a second tab cannot buy twice.
const cart = submission("cart");

// Sent before the page was reloaded, and never answered: it is asked for again, and is the same order.
const unfinished = await cart.pending();
if (unfinished?.checkout) await buy(unfinished.checkout);

const { data: products, error } = await supabase.from("products").select()
  .order("name");
if (error) throw error;

for (const product of products) {
  const row = document.querySelector("template").content.cloneNode(true);
  const [name, price, badge, button] = row.querySelectorAll("span, button");
  name.textContent = product.name;
  price.textContent = money(product.price, product.currency);
  row.firstElementChild.dataset.product = product.id;
  followStock(supabase, product.id, ({ state }) => {
    badge.textContent = BADGES[state];
    button.disabled = state === "sold_out";
  });
  // `line` says the price that is shown: nothing else is charged.
  button.onclick = () =>
    buy({
      cart_items: [line(product, 1)],
      payment_method: document.querySelector("#method").value,
    });
  document.querySelector("#products").append(row);
}

async function buy(request) {
  say("One moment …");
  try {
    const order = await shop.checkout(request, { submission: cart });
    location.href = `order.html?id=${order.id}`;
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    if (error.is("INSUFFICIENT_INVENTORY")) {
      say("Somebody was faster: it is sold out.");
    } else if (error.is("PRICE_CHANGED")) {
      say("It has another price now. Reload to see it.");
    } else if (error.retryable) {
      say("Not sure yet. Press Buy again: it cannot buy twice.");
    } else say(`${error.message} (${error.code})`);
  }
}
