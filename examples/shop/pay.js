// Payment of an order by card. Stripe's own code asks for the card, so its number never comes to this page or to the shop.
import { InterlockError } from "@interlock/client";
import { stripeKey } from "/config.js";
import { say } from "../connect.js";

const form = document.querySelector("#pay");
const button = form.querySelector("button");
let asked = false;

/** Asks for the card, once. */
export async function askForCard(shop, orderId) {
  form.hidden = false;
  if (asked) return;
  asked = true;
  try {
    // The same payment each time, also after a reload or in a second tab: it is not paid twice.
    const payment = await shop.paymentIntent(orderId);
    const stripe = globalThis.Stripe(stripeKey);
    const elements = stripe.elements({ clientSecret: payment.client_secret });
    elements.create("payment").mount("#card");
    form.onsubmit = (event) => {
      event.preventDefault();
      pay(stripe, elements);
    };
    button.disabled = false;
  } catch (error) {
    asked = false;
    if (!(error instanceof InterlockError)) throw error;
    say(error.message);
  }
}

/** There is nothing to pay any more. */
export function askNoMore() {
  form.hidden = true;
}

async function pay(stripe, elements) {
  button.disabled = true;
  say("One moment …");
  const { error } = await stripe.confirmPayment({
    elements,
    confirmParams: { return_url: location.href },
    redirect: "if_required",
  });
  // Of what has succeeded Stripe tells the shop, and only then the order is paid: the page follows it.
  say(error ? error.message : "Thank you. It is paid when Stripe has said so.");
  button.disabled = !error;
}
