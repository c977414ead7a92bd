// An order, as it is, and again whenever it has changed.
import { Interlock, InterlockError } from "@interlock/client";
import { followOrder } from "@interlock/client/live";
import { money, say, supabase } from "../connect.js";
import { askForCard, askNoMore } from "./pay.js";

const id = new URLSearchParams(location.search).get("id");
const shop = new Interlock(supabase);
const cancel = document.querySelector("#cancel");

followOrder(supabase, id, (order) => {
  if (!order) return say("There is no such order of yours.");
  for (const name of ["number", "status", "fulfillment"]) {
    document.querySelector(`#${name}`).textContent = order[name];
  }
  document.querySelector("#total").textContent = money(
    order.total - order.refunded,
    order.currency,
  );
  cancel.hidden = order.fulfillment !== "unfulfilled" ||
    !["pending_payment", "confirmed"].includes(order.status);
  if (order.status === "pending_payment" && order.payment_method === "card") {
    askForCard(shop, id);
  } else askNoMore();
});

cancel.onclick = async () => {
  try {
    await shop.cancelOrder(id);
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    say(error.message);
  }
};
